// Files on their way in: dropped or chosen, uploaded three at a time, then read by the server one after the other.
import { Refused, announce, attempt, byId, fill, fromTemplate, query, reconcile, request, say, setHidden, setLabel, setText, sizeOf, timeLeft } from "./knowledge_parts.js";

const UPLOADS_AT_ONCE = 3;
const ROWS = 100;
const BUSY_MS = 1500;
const IDLE_MS = 8000;
const LARGEST_MB = Number(document.body.dataset.largestMb);
const ACTIVE = new Set(["uploading", "waiting", "reading", "indexing", "paused"]);

const uploads = new Map(); // by number: {key, name, file, whom, state, fraction, message, request}
const jobs = new Map(); // by id, as the server tells them
const finished = new Set(); // ids of those that were done since the queue was last empty
let since = ""; // what changed after that is asked for
let number = 0;
let timer = 0;
let changed = () => {};

export const onChange = (listener) => { changed = listener; };

// Dropping and choosing

const filesOf = async (entry, path = "") => {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) return [{ file: await new Promise((done, failed) => entry.file(done, failed)), name: path + entry.name }];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return found;
    for (const child of some) found.push(...await filesOf(child, `${path}${entry.name}/`));
  }
};

const dropped = async (transfer) => {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return add([...transfer.files].map((file) => ({ file, name: file.name })));
  for (const entry of entries) add(await filesOf(entry));
};

const chosen = (input) => {
  add([...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })).filter(({ name }) => !/(^|\/)\./.test(name)));
  input.value = "";
};

const add = (files) => {
  for (const { file, name } of files) {
    number += 1;
    const upload = { key: `upload-${number}`, name, file, whom: byId("whom").value, state: "waiting", fraction: 0, message: "" };
    if (file.size > LARGEST_MB * 1e6) fail(upload, fill(say.too_large, { name, mb: LARGEST_MB }), say.too_large_remedy);
    uploads.set(upload.key, upload);
  }
  if (files.length) announce(files.length === 1 ? fill(say.added_1, files[0]) : fill(say.added_n, { n: files.length }));
  next();
};

// Uploading

const fail = (upload, message, remedy = "") => Object.assign(upload, { state: "failed", message: `${message} ${remedy}`.trim() });

const next = () => {
  const all = [...uploads.values()];
  const free = UPLOADS_AT_ONCE - all.filter((upload) => upload.state === "uploading").length;
  all.filter((upload) => upload.state === "waiting").slice(0, Math.max(0, free)).forEach(send);
  draw();
};

const send = (upload) => {
  const sending = new XMLHttpRequest();
  Object.assign(upload, { state: "uploading", fraction: 0, request: sending });
  sending.open("POST", `/knowledge/api/files?${new URLSearchParams({ name: upload.name, whom: upload.whom })}`);
  sending.setRequestHeader("Content-Type", "application/octet-stream");
  sending.upload.onprogress = (event) => {
    upload.fraction = event.lengthComputable ? event.loaded / event.total : 0;
    draw();
  };
  sending.onload = () => {
    if (sending.status === 200) arrived(upload, JSON.parse(sending.responseText).jobs);
    else if (sending.status === 401) fail(upload, say.signed_out, say.signed_out_remedy);
    else fail(upload, reasonOf(sending));
    next();
  };
  sending.onerror = () => { fail(upload, say.upload_failed, say.upload_remedy); next(); };
  sending.onabort = () => { uploads.delete(upload.key); next(); };
  sending.send(upload.file);
};

const reasonOf = (sending) => {
  try {
    const { detail } = JSON.parse(sending.responseText);
    return typeof detail === "string" ? detail : say.upload_failed;
  } catch {
    return say.upload_failed;
  }
};

const arrived = (upload, made) => {
  uploads.delete(upload.key);
  enqueued(made);
};

// What is small may be read, and told so, before the answer to who added it is here.
export const enqueued = (made) => {
  for (const job of made) if (told.get(job.id) === undefined || told.get(job.id) < job.changed) jobs.set(job.id, job);
  draw();
  poll(BUSY_MS);
};

window.addEventListener("beforeunload", (event) => {
  if ([...uploads.values()].some((upload) => upload.state === "uploading" || upload.state === "waiting")) event.preventDefault();
});

// Jobs

const poll = (after) => {
  clearTimeout(timer);
  timer = setTimeout(refresh, after);
};

const refresh = async () => {
  const answer = await attempt(() => request(`jobs?${query({ since })}`));
  if (answer) {
    const news = answer.jobs.filter((job) => job.changed !== told.get(job.id));
    news.forEach(take);
    if (news.length) changed();
    since = answer.now || "";
    setText(byId("notices"), answer.notices.join(" "));
    setHidden(byId("notices"), !answer.notices.length);
    draw();
  }
  poll(document.hidden || !isBusy() ? IDLE_MS : BUSY_MS);
};

const isBusy = () => [...jobs.values()].some((job) => ACTIVE.has(job.state) && job.state !== "paused");

// What is done or cancelled leaves the queue; what failed, or was read in part, stays until a person removes it.
const told = new Map(); // when each job last changed, as far as it was told
const take = (job) => {
  told.set(job.id, job.changed);
  const before = jobs.get(job.id)?.state;
  if (job.state === "done" && before && ACTIVE.has(before)) finished.add(job.id);
  if ((job.state === "done" && !job.leaves_out) || job.state === "cancelled") jobs.delete(job.id);
  else jobs.set(job.id, job);
  if (job.state === "done" && job.message && before && before !== "done") announce(`${job.title}: ${job.message}`);
  if (job.state === "failed" && before && before !== "failed") announce(`${job.title}: ${job.message}`);
};

document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(0); });

// Drawing

const rowsToShow = () => {
  const shown = [...jobs.values()].filter((job) => ACTIVE.has(job.state) || !dismissed.has(job.id));
  return [...shown.map((job) => ({ ...job, key: job.id, name: job.title })), ...uploads.values()];
};

let planned = false;
const draw = () => {
  if (!planned) requestAnimationFrame(() => { planned = false; drawNow(); });
  planned = true;
};

const drawNow = () => {
  const all = rowsToShow();
  const failed = all.filter((row) => row.state === "failed").length;
  const active = all.filter((row) => ACTIVE.has(row.state)).length;
  if (!active) finished.clear();
  setHidden(byId("queue"), !all.length);
  reconcile(byId("jobs"), all.slice(0, ROWS), (row) => row.key, make, update);
  setHidden(byId("queue-more"), all.length <= ROWS);
  setText(byId("queue-more"), fill(say.queue_more, { n: all.length - ROWS }));
  const parts = !active ? [] : [fill(say.queue_said, { done: finished.size, all: finished.size + active })];
  if (failed) parts.push(fill(say.queue_failed, { n: failed }));
  setText(byId("queue-said"), parts.join(" · "));
  const fractions = all.reduce((sum, row) => sum + (row.id && ACTIVE.has(row.state) ? row.fraction : 0), finished.size);
  byId("queue-progress").value = fractions / Math.max(1, finished.size + active);
  setHidden(byId("queue-progress"), !active);
  const halted = active > 0 && all.every((row) => !ACTIVE.has(row.state) || row.state === "paused");
  setText(byId("pause-all"), halted ? say.resume_all : say.pause_all);
  byId("pause-all").dataset.act = halted ? "resume" : "pause";
  setHidden(byId("pause-all"), !all.some((row) => row.id && ACTIVE.has(row.state)));
  setHidden(byId("cancel-all"), !active);
  setHidden(byId("clear-failed"), active === all.length);
};

const make = (item) => {
  const row = fromTemplate("job-row");
  for (const button of row.querySelectorAll("[data-act]")) button.addEventListener("click", () => press(row, button.dataset.act));
  row.dataset.key = item.key;
  return row;
};

const OFFERED = {
  waiting: ["pause", "cancel"], reading: ["pause", "cancel"], indexing: ["pause", "cancel"], uploading: ["cancel"],
  paused: ["resume", "cancel"], failed: ["retry", "cancel"], done: ["cancel"],
};

const update = (row, item) => {
  row.item = item;
  const failed = item.state === "failed";
  row.classList.toggle("failed", failed);
  setText(row.querySelector(".name"), item.name);
  setText(row.querySelector(".state"), stateOf(item));
  const bar = row.querySelector("progress");
  setHidden(bar, !ACTIVE.has(item.state));
  if (item.state === "reading" && !item.fraction) bar.removeAttribute("value");
  else bar.value = item.fraction || 0;
  setLabel(bar, `${item.name}: ${say[`state_${item.state}`]}`);
  setText(row.querySelector(".why"), ACTIVE.has(item.state) ? "" : item.message);
  const acts = (OFFERED[item.state] || []).filter((act) => act !== "pause" || item.id);
  const theirs = item.theirs !== false;
  for (const button of row.querySelectorAll("[data-act]")) {
    const { act } = button.dataset;
    const name = act === "cancel" && !ACTIVE.has(item.state) ? say.dismiss : say[act];
    setHidden(button, !theirs || !acts.includes(act));
    setText(button, name);
    setLabel(button, fill(say.act_on, { act: name, name: item.name }));
  }
};

const stateOf = (item) => {
  const parts = [say[`state_${item.state}`] || item.state];
  if (item.file && item.state !== "failed") parts.push(sizeOf(item.file.size));
  if (item.state === "reading" || item.state === "indexing") {
    if (item.pages) parts.push(fill(say.pages_done, { done: item.pages_done, all: item.pages }));
    else if (item.pages_done) parts.push(fill(say.pages_so_far, { done: item.pages_done }));
    parts.push(timeLeft(item.eta_s));
  }
  return parts.filter(Boolean).join(" · ");
};

// Pressing

const press = (row, act) => {
  const { item } = row;
  if (!item.id) return pressUpload(item, act);
  if (act === "cancel" && !ACTIVE.has(item.state)) return dismiss([item.id]);
  return actOn(act === "retry" ? "resume" : act, [item.id]);
};

const actOn = (act, ids) => attempt(async () => {
  if (ids.length) await request(`jobs/${act}`, { ids });
  poll(0);
});

// Which jobs a person has removed from this list, in this browser; of those that failed, the file goes as well.
const KEPT_IDS = 2000;
const dismissed = new Set(JSON.parse(localStorage.getItem("knowledge-dismissed") || "[]"));
const dismiss = (ids) => {
  ids.forEach((id) => dismissed.add(id));
  localStorage.setItem("knowledge-dismissed", JSON.stringify([...dismissed].slice(-KEPT_IDS)));
  draw();
  const failed = ids.filter((id) => jobs.get(id)?.state === "failed");
  return failed.length ? actOn("cancel", failed) : undefined;
};

const pressUpload = (upload, act) => {
  const known = uploads.get(upload.key);
  if (act === "retry") Object.assign(known, { state: "waiting", message: "" });
  else if (known.state === "uploading") return known.request.abort();
  else uploads.delete(upload.key);
  return next();
};

const forAll = (act, which) => {
  if (act === "cancel") [...uploads.values()].filter(which).forEach((upload) => pressUpload(upload, act));
  const ids = [...jobs.values()].filter((job) => job.theirs && which(job)).map((job) => job.id);
  return act === "cancel" && ids.every((id) => !ACTIVE.has(jobs.get(id).state)) ? dismiss(ids) : actOn(act, ids);
};

byId("pause-all").addEventListener("click", (event) => {
  const { act } = event.currentTarget.dataset;
  forAll(act, (row) => (act === "pause" ? ACTIVE.has(row.state) && row.state !== "paused" : row.state === "paused"));
});
byId("cancel-all").addEventListener("click", () => forAll("cancel", (row) => ACTIVE.has(row.state)));
byId("clear-failed").addEventListener("click", () => forAll("cancel", (row) => !ACTIVE.has(row.state)));

// From elsewhere: a web page or a site, a table of a database

const readIn = (form, path, asked) => form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await attempt(() => request(path, { ...asked(), whom: byId("whom").value }));
  if (!answer) return;
  enqueued(answer.jobs);
  announce(fill(say.added_1, { name: answer.jobs[0].title }));
  form.reset();
});
readIn(byId("web"), "web", () => ({ address: byId("address").value, site: byId("site").checked }));
readIn(byId("database"), "database", () => ({ address: byId("database-address").value, name: byId("table").value, query: byId("sql").value }));

byId("choose-files").addEventListener("click", () => byId("files").click());
byId("choose-folder").addEventListener("click", () => byId("folder").click());
byId("files").addEventListener("change", (event) => chosen(event.target));
byId("folder").addEventListener("change", (event) => chosen(event.target));

// The whole page takes what is dropped; elsewhere the browser would open it.
let depth = 0;
const carriesFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
const dragging = (by) => {
  depth = Math.max(0, depth + by);
  document.body.classList.toggle("dragging", depth > 0);
};
document.addEventListener("dragenter", (event) => { if (carriesFiles(event)) { event.preventDefault(); dragging(1); } });
document.addEventListener("dragleave", (event) => { if (carriesFiles(event)) dragging(-1); });
document.addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  dragging(0);
  dropped(event.dataTransfer).catch((error) => { if (!(error instanceof Refused)) throw error; });
});

export const start = () => poll(0);
