// Requests to the server, with the token where it asks for one.

import { byId } from "../dom.js";
import { explained, text } from "../texts.js";

// Something that went wrong, in words for the person at the page; `refusal` is {code, message} where the server said
// no to what was sent.
export class Trouble extends Error {
  constructor(message, refusal = null) {
    super(message);
    this.refusal = refusal;
  }
}

const LONGEST_PAUSE = 10; // seconds, before a busy server is asked once more

let token = null;
let entering = null;

// Whether a token was entered: links then do not work by themselves, since browsers do not send it with them.
export const hasToken = () => token !== null;

// Ask for a path beside the page; gives the JSON of the answer, or throws a `Trouble`.
export async function request(path, options = {}) {
  const response = await respondInTime(path, options);
  let content = null;
  try {
    content = await response.json();
  } catch {
    throw new Trouble(text("noServer"));
  }
  if (response.ok) return content;
  if (isBusy(response)) throw new Trouble(text("busyServer"));
  if (!content?.error) throw new Trouble(`HTTP ${response.status}`);
  throw new Trouble(explained(content.error), content.error);
}

// Ask for a file beside the page; gives its content, or throws a `Trouble`.
export async function download(path) {
  const response = await respondInTime(path);
  if (!response.ok) throw new Trouble(isBusy(response) ? text("busyServer") : `HTTP ${response.status}`);
  return response.blob();
}

const isBusy = (response) => response.status === 429 || response.status === 503;

// Ask for a path and give the response; a server that has too much to do is asked once more, when it says.
async function respondInTime(path, options = {}) {
  const response = await respond(path, options);
  if (!isBusy(response)) return response;
  const seconds = Math.min(Number(response.headers.get("Retry-After")) || 1, LONGEST_PAUSE);
  await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  return respond(path, options);
}

// Ask for a path and give the response as it is, after the token was entered if one is needed.
async function respond(path, options) {
  for (let wrong = false; ; wrong = true) {
    const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
    const used = token;
    let response;
    try {
      response = await fetch(path, { ...options, headers: { ...options.headers, ...headers } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Trouble(text("noServer"));
    }
    if (response.status !== 401) return response;
    // Where several requests find out at once, one dialog is enough.
    if (token === used) {
      entering ??= enterToken(wrong || used !== null).finally(() => (entering = null));
      await entering;
    }
  }
}

function enterToken(wrong) {
  const dialog = byId("token");
  const field = byId("token-value");
  byId("token-wrong").hidden = !wrong;
  field.value = "";
  dialog.showModal();
  field.focus();
  return new Promise((resolve, reject) => {
    dialog.addEventListener(
      "close",
      () => {
        token = field.value.trim();
        if (token && /^[\x21-\x7e]+$/.test(token)) resolve();
        else {
          token = null;
          reject(new Trouble(text("tokenTitle")));
        }
      },
      { once: true },
    );
  });
}
