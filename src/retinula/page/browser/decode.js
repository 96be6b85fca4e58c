// From a file to pixels, by the browser's own decoder; what `decode` and `flatten` do in retinula/pictures/decoding.py.

const STRIP = 1024 * 1024; // pixels that are drawn at a time: some devices refuse large canvases
// Red, green and blue in luminance (ITU-R 601-2), in 65536ths, as Pillow has them.
const LUMINANCE = [19595, 38470, 7471];

// A file that is no picture to this browser, or too large a one; `code` is that of a server's refusal.
export class UnreadablePicture extends Error {
  constructor(code, reason) {
    super(reason);
    this.code = code;
  }
}

// Decode a file: upright, over white where it is clear, without its colour profile.
// Gives {pixels, width, height}; pixels are bytes, row by row, `channels` (1: luminance, or 3) for each.
export async function decode(file, channels, maxPixels) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    throw new UnreadablePicture("unreadable", "this browser cannot show it as a picture");
  }
  try {
    const { width, height } = bitmap;
    if (width * height > maxPixels) {
      throw new UnreadablePicture("too_large", `it has more than ${maxPixels.toLocaleString("en")} pixels`);
    }
    return { pixels: flat(bitmap, channels), width, height };
  } finally {
    bitmap.close();
  }
}

function flat(bitmap, channels) {
  const { width, height } = bitmap;
  const pixels = new Uint8Array(width * height * channels);
  const rows = Math.min(height, Math.max(1, Math.floor(STRIP / width)));
  const context = new OffscreenCanvas(width, rows).getContext("2d", { alpha: false, willReadFrequently: true });
  for (let top = 0; top < height; top += rows) {
    context.fillStyle = "white";
    context.fillRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    const count = Math.min(rows, height - top);
    const { data } = context.getImageData(0, 0, width, count);
    put(data, pixels, top * width * channels, channels);
  }
  return pixels;
}

function put(data, pixels, start, channels) {
  let next = start;
  for (let place = 0; place < data.length; place += 4) {
    if (channels === 3) {
      pixels[next] = data[place];
      pixels[next + 1] = data[place + 1];
      pixels[next + 2] = data[place + 2];
    } else {
      const [red, green, blue] = LUMINANCE;
      const sum = red * data[place] + green * data[place + 1] + blue * data[place + 2];
      pixels[next] = (sum + 32768) >> 16;
    }
    next += channels;
  }
}
