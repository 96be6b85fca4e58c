// Making pictures small exactly as Pillow does, byte by byte: what `shrink` does in retinula/pictures.py. The graph can
// do it too, but goes over every pixel of a photo for every pixel of the small picture.

const BITS = 22; // behind the point of the weights
const CUBIC = -0.5; // the parameter of the cubic kernel
const SUPPORT = 2; // pixels to each side in which that kernel is not zero
const BORDER = 128;

// Bring pixels (bytes [height x width x channels]) to the form of a model: {size: [height, width], resize: "squash",
// "crop" or "pad", channels, tall_first}. Gives bytes [size[0] x size[1] x channels].
export function shrink(pixels, width, height, { size, resize, channels, tall_first: tallFirst }) {
  if (resize === "pad") return padded(pixels, width, height, size, channels, tallFirst);
  let [vertical, horizontal] = [
    [0, height],
    [0, width],
  ];
  if (resize === "crop") {
    const proportion = size[1] / size[0];
    vertical = centred(height, Math.min(height, width / proportion));
    horizontal = centred(width, Math.min(width, height * proportion));
  }
  const down = filter(height, ...vertical, size[0]);
  const across = filter(width, ...horizontal, size[1]);
  return resized(pixels, width, height, down, across, channels, tallFirst);
}

function padded(pixels, width, height, size, channels, tallFirst) {
  const scale = Math.min(size[1] / width, size[0] / height);
  const inner = [height, width].map((side, axis) => Math.min(size[axis], Math.max(1, roundedToEven(side * scale))));
  const down = filter(height, 0, height, inner[0]);
  const across = filter(width, 0, width, inner[1]);
  const small = resized(pixels, width, height, down, across, channels, tallFirst);
  const framed = new Uint8Array(size[0] * size[1] * channels).fill(BORDER);
  const [top, left] = [(size[0] - inner[0]) >> 1, (size[1] - inner[1]) >> 1];
  const row = inner[1] * channels;
  for (let y = 0; y < inner[0]; y += 1) {
    framed.set(small.subarray(y * row, (y + 1) * row), ((top + y) * size[1] + left) * channels);
  }
  return framed;
}

function roundedToEven(value) {
  const below = Math.floor(value);
  if (value - below === 0.5) return below % 2 ? below + 1 : below;
  return Math.round(value);
}

// The middle part of a side as [begin, extent]; Pillow takes both ends in single precision.
function centred(side, part) {
  const begin = (side - part) / 2;
  const first = Math.fround(begin);
  return [first, Math.fround(Math.fround(begin + part) - first)];
}

// The filter of one axis: for each new pixel where it begins and its weights, whole numbers in units of 2 ** -BITS.
function filter(side, begin, extent, length) {
  const scale = extent / length;
  const widened = Math.max(scale, 1);
  const support = SUPPORT * widened;
  const shortened = 1 / widened;
  return Array.from({ length }, (_, place) => {
    const centre = begin + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const last = Math.min(side, Math.trunc(centre + support + 0.5));
    const shares = [];
    for (let x = first; x < last; x += 1) shares.push(kernel((x - centre + 0.5) * shortened));
    const total = shares.reduce((sum, share) => sum + share, 0);
    return { first, weights: Int32Array.from(shares, (share) => inUnits(total === 0 ? share : share / total)) };
  });
}

function kernel(distance) {
  const x = Math.abs(distance);
  if (x < 1) return ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1;
  if (x < SUPPORT) return (((x - 5) * x + 8) * x - 4) * CUBIC;
  return 0;
}

// Halves go away from zero.
function inUnits(share) {
  return Math.trunc(share * 2 ** BITS + (share < 0 ? -0.5 : 0.5));
}

function resized(pixels, width, height, down, across, channels, tallFirst) {
  const lost = [height - down.length, width - across.length];
  if (tallFirst && lost[0] > Math.max(2 * lost[1], 0)) {
    return horizontally(vertically(pixels, width, down, channels), width, across, channels);
  }
  return vertically(horizontally(pixels, width, across, channels), across.length, down, channels);
}

function horizontally(pixels, width, across, channels) {
  const height = pixels.length / (width * channels);
  const result = new Uint8ClampedArray(height * across.length * channels);
  let next = 0;
  for (let y = 0; y < height; y += 1) {
    for (const { first, weights } of across) {
      for (let channel = 0; channel < channels; channel += 1) {
        let place = (y * width + first) * channels + channel;
        let sum = 1 << (BITS - 1);
        for (let index = 0; index < weights.length; index += 1) {
          sum += pixels[place] * weights[index];
          place += channels;
        }
        result[next] = sum >> BITS;
        next += 1;
      }
    }
  }
  return result;
}

function vertically(pixels, width, down, channels) {
  const row = width * channels;
  const result = new Uint8ClampedArray(down.length * row);
  const sums = new Int32Array(row);
  down.forEach(({ first, weights }, y) => {
    sums.fill(1 << (BITS - 1));
    weights.forEach((weight, index) => {
      const start = (first + index) * row;
      for (let x = 0; x < row; x += 1) sums[x] += pixels[start + x] * weight;
    });
    for (let x = 0; x < row; x += 1) result[y * row + x] = sums[x] >> BITS;
  });
  return result;
}
