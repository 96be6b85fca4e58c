// Answers from the server. browser/answers.js is the same for a model that the browser runs itself.

import { request } from "./server.js";

// What the model is: {name, classes, includes, limits, runs, ...}.
export const describe = () => request("v1/model");

// Say what is on pictures.
//   files: File or Blob objects.
//   include: a list of what to give beside the classes: "seen", "heatmap", "similar".
//   top: how many classes to name.
// Gives a list as long as `files`: {label, probability, top: [{label, probability}], width, height, ...}, or
// {error: {message}} for one that cannot be read. Throws where there is no answer at all.
export async function ask(files, { include = [], top = 5 } = {}) {
  const form = new FormData();
  files.forEach((file, index) => form.append("picture", file, file.name || `picture ${index + 1}`));
  form.append("top", top);
  form.append("include", include.join(","));
  try {
    return (await request("v1/predict", { method: "POST", body: form })).predictions;
  } catch (error) {
    // A request whose pictures are all refused is refused itself; to the page it is a picture like any other.
    if (!error.refusal) throw error;
    return files.length === 1 ? [{ error: error.refusal }] : alone(files, { include, top });
  }
}

async function alone(files, options) {
  const answers = [];
  for (const file of files) answers.push(...(await ask([file], options)));
  return answers;
}
