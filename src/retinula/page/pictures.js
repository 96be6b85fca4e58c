// Taking pictures in: dropped, pasted, chosen, photographed.

import { byId } from "./dom.js";

// Call `take` with a list of files whenever some are given, and `refuse` where something else was given.
export function takePictures(take, refuse, noCamera) {
  const offer = (files) => (files.length ? take(files) : refuse());
  for (const id of ["files", "camera-file"]) {
    const field = byId(id);
    field.addEventListener("change", () => {
      if (field.files.length) take([...field.files]);
      field.value = ""; // so that the same file can be chosen again
    });
  }
  byId("choose").addEventListener("click", () => byId("files").click());
  byId("photograph").addEventListener("click", () => photograph(take, noCamera));
  document.addEventListener("paste", (event) => {
    if (event.target.closest?.("input, textarea")) return;
    const files = picturesOf(event.clipboardData);
    if (files.length || event.clipboardData.files.length) offer(files);
  });
  listenToDrops(offer);
}

function listenToDrops(offer) {
  const zone = byId("drop");
  const holdsFiles = (event) => [...event.dataTransfer.types].includes("Files");
  // Pictures may be dropped anywhere: a browser would leave the page for what misses.
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    zone.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) zone.classList.remove("over");
  });
  document.addEventListener("drop", async (event) => {
    zone.classList.remove("over");
    if (!holdsFiles(event)) return;
    event.preventDefault();
    offer(await droppedFiles(event.dataTransfer));
  });
}

function picturesOf(data) {
  return [...data.files].filter((file) => file.type.startsWith("image/") || !file.type);
}

// Files that were dropped; of folders all pictures below them.
async function droppedFiles(data) {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return picturesOf(data);
  const files = [];
  for (const entry of entries) await walk(entry, files);
  return files.filter((file) => file.type.startsWith("image/"));
}

async function walk(entry, files) {
  if (entry.isFile) {
    files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return;
    for (const inner of entries) await walk(inner, files);
  }
}

async function photograph(take, noCamera) {
  // Phones have a better camera program than a page could be; elsewhere, and only on this machine or behind HTTPS,
  // browsers lend the camera to the page.
  const onPhone = matchMedia("(pointer: coarse)").matches;
  if (onPhone || !navigator.mediaDevices?.getUserMedia) {
    byId("camera-file").click();
    return;
  }
  const dialog = byId("camera");
  const video = byId("viewfinder");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = stream;
    await video.play();
  } catch {
    stream?.getTracks().forEach((track) => track.stop());
    noCamera();
    return;
  }
  dialog.showModal();
  const stopped = new AbortController();
  const options = { signal: stopped.signal };
  byId("shoot").addEventListener("click", async () => {
    const photo = await frameOf(video);
    dialog.close();
    take([photo]);
  }, options);
  byId("camera-close").addEventListener("click", () => dialog.close(), options);
  dialog.addEventListener("close", () => {
    stream.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
    stopped.abort();
  }, options);
}

async function frameOf(video) {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  return new File([blob], "photo.png", { type: "image/png" });
}
