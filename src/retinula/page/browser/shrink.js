// Making pictures small exactly as Pillow does, byte by byte: what `look_at` does in retinula/pictures/form.py. The
// graph can make a picture small too, but goes over every pixel of a photo for every pixel of the small one, and looks at
// the whole only.

const BITS = 22; // behind the point of the weights
const CUBIC = -0.5; // the parameter of the cubic kernel
const BORDER = 128;
// Each filter's kernel, and how many pixels to each side it reaches.
const FILTERS = {
  box: [(x) => (x > -0.5 && x <= 0.5 ? 1 : 0), 0.5],
  bilinear: [(x) => Math.max(1 - Math.abs(x), 0), 1],
  bicubic: [(x) => cubic(Math.abs(x)), 2],
  lanczos: [(x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0), 3],
};
// Where parts lie between the left or upper edge (0) and the other (1): across, down.
const PLACES = {
  0: [],
  1: [[0.5, 0.5]],
  3: [[0, 0], [0.5, 0.5], [1, 1]],
  5: [[0, 0], [1, 0], [0.5, 0.5], [0, 1], [1, 1]],
};

// Bring all views of a picture (bytes [height x width x channels]) to the form of a model, the whole first; its answer
// is the mean over them. The form is that of retinula/transforms/preprocess.py, and `tall_first`: whether Pillow changes
// the height of tall pictures first. Gives a list of bytes [size[0] x size[1] x channels].
export function lookAt(pixels, width, height, form) {
  const parts = [[0, 0, width, height], ...boxes(width, height, form)];
  const small = parts.map((part) => shrink(pixels, width, height, form, part));
  return form.views?.mirror ? [...small, ...small.map((each) => mirrored(each, form))] : small;
}

function boxes(width, height, { size, views }) {
  if (!views) return [];
  const proportion = size[1] / size[0];
  const [widest, highest] = [Math.min(width, height * proportion), Math.min(height, width / proportion)];
  const part = (partWidth, partHeight, [across, down]) => {
    const [left, top] = [(width - partWidth) * across, (height - partHeight) * down];
    return [left, top, left + partWidth, top + partHeight];
  };
  return [
    ...views.zooms.map((zoom) => part(width * zoom, height * zoom, [0.5, 0.5])),
    ...views.scales.flatMap((scale) => PLACES[views.crops].map((place) => part(widest * scale, highest * scale, place))),
  ];
}

function mirrored(small, { size, channels }) {
  const result = new Uint8Array(small.length);
  for (let place = 0; place < small.length; place += channels) {
    const column = (place / channels) % size[1];
    const other = place + (size[1] - 1 - 2 * column) * channels;
    for (let channel = 0; channel < channels; channel += 1) result[place + channel] = small[other + channel];
  }
  return result;
}

// Make a part ([left, top, right, bottom]) of a picture small.
function shrink(pixels, width, height, form, part) {
  const { size, resize, channels } = form;
  if (resize === "pad") return padded(pixels, width, height, form, part);
  const box = resize === "crop" ? centred(part, size[1] / size[0]) : part;
  return resized(pixels, width, height, size, box, channels, form);
}

// The largest centred part of a box with a proportion of width to height.
function centred([left, top, right, bottom], proportion) {
  const width = Math.min(right - left, (bottom - top) * proportion);
  const height = Math.min(bottom - top, (right - left) / proportion);
  const [newLeft, newTop] = [left + (right - left - width) / 2, top + (bottom - top - height) / 2];
  return [newLeft, newTop, newLeft + width, newTop + height];
}

function padded(pixels, width, height, form, box) {
  const { size, channels } = form;
  const sides = [box[3] - box[1], box[2] - box[0]];
  const scale = Math.min(size[1] / sides[1], size[0] / sides[0]);
  const inner = sides.map((side, axis) => Math.min(size[axis], Math.max(1, roundedToEven(side * scale))));
  const small = resized(pixels, width, height, inner, box, channels, form);
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

// The filter of one axis: for each new pixel where it begins and its weights, whole numbers in units of 2 ** -BITS.
// Pillow takes the ends of the part that is kept in single precision.
function filter(side, begin, end, length, [kernel, reach]) {
  const first = Math.fround(begin);
  const scale = Math.fround(Math.fround(end) - first) / length;
  const widened = Math.max(scale, 1);
  const support = reach * widened;
  const shortened = 1 / widened;
  return Array.from({ length }, (_, place) => {
    const centre = first + (place + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const to = Math.min(side, Math.trunc(centre + support + 0.5));
    const shares = [];
    for (let x = from; x < to; x += 1) shares.push(kernel((x - centre + 0.5) * shortened));
    const total = shares.reduce((sum, share) => sum + share, 0);
    return { from, weights: Int32Array.from(shares, (share) => inUnits(total === 0 ? share : share / total)) };
  });
}

function cubic(x) {
  if (x < 1) return ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * CUBIC;
  return 0;
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

// Halves go away from zero.
function inUnits(share) {
  return Math.trunc(share * 2 ** BITS + (share < 0 ? -0.5 : 0.5));
}

function resized(pixels, width, height, size, [left, top, right, bottom], channels, form) {
  const kind = FILTERS[form.resample ?? "bicubic"];
  const down = filter(height, top, bottom, size[0], kind);
  const across = filter(width, left, right, size[1], kind);
  const lost = [height - size[0], width - size[1]];
  if (form.tall_first && lost[0] > Math.max(2 * lost[1], 0)) {
    return horizontally(vertically(pixels, width, down, channels), width, across, channels);
  }
  return vertically(horizontally(pixels, width, across, channels), size[1], down, channels);
}

function horizontally(pixels, width, across, channels) {
  const height = pixels.length / (width * channels);
  const result = new Uint8ClampedArray(height * across.length * channels);
  let next = 0;
  for (let y = 0; y < height; y += 1) {
    for (const { from, weights } of across) {
      for (let channel = 0; channel < channels; channel += 1) {
        let place = (y * width + from) * channels + channel;
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
  down.forEach(({ from, weights }, y) => {
    sums.fill(1 << (BITS - 1));
    weights.forEach((weight, index) => {
      const start = (from + index) * row;
      for (let x = 0; x < row; x += 1) sums[x] += pixels[start + x] * weight;
    });
    for (let x = 0; x < row; x += 1) result[y * row + x] = sums[x] >> BITS;
  });
  return result;
}
