// The page that evaluates: data sets brought in or made, what runs, the reports. The form of a new evaluation: evaluations_form.js.
import { announce, areYouSure, attempt, byId, counted, dayOf, fill, fromTemplate, query, reconcile, Refused, request, say, setHidden, setLabel, setText, timeLeft } from "./knowledge_parts.js";
import { prepare, showSets } from "./evaluations_form.js";

const BUSY_MS = 1000;
const IDLE_MS = 10000;
const GOING = new Set(["waiting", "running"]);
const states = new Map(); // what each run was when it was last asked for
let timer = 0;

const one = (row, act) => row.querySelector(`[data-act=${act}]`);
const upload = async (path, file) => {
  const response = await fetch(`/evaluations/api/${path}`, { method: "POST", body: file });
  if (response.status === 401) throw new Refused(`${say.signed_out} ${say.signed_out_remedy}`);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(typeof answer.detail === "string" ? answer.detail : `${response.status}`);
  return answer;
};

// Data sets

const factsOf = (set) => {
  const parts = [[set.rows, "n_rows"], [set.accepted, "n_accepted"], [set.open - set.faulty, "n_open"], [set.faulty, "n_faulty"], [set.dropped, "n_dropped"]];
  return [...parts.filter(([n], place) => n > 0 || place < 2).map(([n, name]) => counted(name, n)), dayOf(set.created)].join(" · ");
};

const drawSets = async () => {
  const { sets } = await request("sets");
  reconcile(byId("set-list"), sets, (set) => set.id, () => fromTemplate("set-row"), (row, set) => {
    const name = row.querySelector(".name");
    setText(name, set.name);
    name.href = one(row, "review").href = `/evaluations/sets/${set.id}`;
    one(row, "download").href = `/evaluations/api/sets/${set.id}/download`;
    setText(row.querySelector(".facts"), factsOf(set));
    one(row, "review").classList.toggle("plain", !set.open);
    for (const [act, text] of [["review", say.review_do], ["download", say.download], ["delete", say.delete]]) setLabel(one(row, act), `${text}: ${set.name}`);
    one(row, "delete").onclick = () => attempt(() => forgetSet(set));
  });
  setHidden(byId("no-sets"), sets.length > 0);
  await showSets(sets);
};

const forgetSet = async (set) => {
  if (!await areYouSure(fill(say.sure_set, { name: set.name }), say.sure_set_text, say.delete)) return;
  await request(`sets/${set.id}/delete`, {});
  announce(fill(say.deleted, { name: set.name }));
  await drawSets();
  byId("sets").focus();
};

const bring = (file) => attempt(async () => {
  if (!file) return;
  setHidden(byId("problems"), true);
  const { set, problems, more } = await upload(`sets?${query({ name: file.name })}`, file);
  await drawSets();
  if (!problems.length) { announce(fill(say.brought, { name: set.name, n: set.rows })); return; }
  const box = byId("problems");
  const left = more ? [fill(say.more_problems, { n: more })] : [];
  setText(box.querySelector("p"), fill(say.problems, { name: set.name, n: set.faulty, rows: set.rows }));
  box.querySelector("ul").replaceChildren(...[...problems.map((one) => one.text), ...left].map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  box.querySelector("a").href = `/evaluations/sets/${set.id}?show=faulty`;
  setHidden(box, false);
});

byId("choose").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", (event) => { bring(event.target.files[0]); event.target.value = ""; });
for (const type of ["dragenter", "dragover"]) byId("drop").addEventListener(type, (event) => { event.preventDefault(); document.body.classList.add("dragging"); });
for (const type of ["dragleave", "drop"]) byId("drop").addEventListener(type, (event) => { event.preventDefault(); document.body.classList.remove("dragging"); });
byId("drop").addEventListener("drop", (event) => bring(event.dataTransfer.files[0]));

byId("from-chat").addEventListener("click", () => attempt(async () => {
  const { set } = await request("sets/from-chat", {});
  location.href = `/evaluations/sets/${set.id}`;
}));
byId("from-documents").addEventListener("click", () => attempt(async () => {
  await request("sets/from-documents", { collection: byId("made-of").value || "shared", count: Number(byId("made-count").value) || 20 });
  await watch();
  byId("under-way").focus();
}));

// What runs

const stateOf = (run) => {
  if (run.state === "waiting") return fill(say.state_waiting, { n: run.place });
  if (run.state !== "running") return say[`state_${run.state}`];
  const doing = run.kind === "make" ? say.writing : run.doing;
  return [`${Math.floor(100 * (run.fraction || 0))} %`, doing, timeLeft(run.left_s)].filter(Boolean).join(" · ");
};

const drawRun = (row, run) => {
  const bar = row.querySelector("progress");
  setText(row.querySelector(".name"), run.title);
  setText(row.querySelector(".facts"), run.kind === "make" ? say.kind_make : [run.models.join(", "), run.levers.map((lever) => say[`lever_${lever}`]).join(", ")].join(" · "));
  setText(row.querySelector(".state"), stateOf(run));
  setLabel(bar, run.title);
  if (run.state === "running") bar.value = run.fraction || 0; else if (run.state === "waiting") bar.value = 0;
  setHidden(bar, !GOING.has(run.state));
  setText(row.querySelector(".why"), run.message);
  setHidden(row.querySelector(".why"), !run.message);
  row.dataset.state = run.state;
  const open = one(row, "open");
  setHidden(open, run.state !== "done");
  setText(open, run.kind === "make" ? say.review_do : say.open_report);
  open.href = run.kind === "make" ? `/evaluations/sets/${run.result}` : `/evaluations/${run.result}`;
  setHidden(one(row, "cancel"), !GOING.has(run.state));
  setHidden(one(row, "continue"), !["interrupted", "cancelled", "failed"].includes(run.state));
  setHidden(one(row, "remove"), GOING.has(run.state));
  for (const act of ["open", "cancel", "continue", "remove"]) setLabel(one(row, act), `${one(row, act).textContent}: ${run.title}`);
  for (const act of ["cancel", "continue", "remove"]) one(row, act).onclick = () => attempt(async () => { await request(`runs/${run.id}/${act}`, {}); await watch(); });
};

export const watch = async () => {
  clearTimeout(timer);
  try {
    await drawRuns();
  } finally {
    clearTimeout(timer);
    timer = setTimeout(() => attempt(watch), [...states.values()].some((state) => GOING.has(state)) ? BUSY_MS : IDLE_MS);
  }
};

const drawRuns = async () => {
  const { runs } = await request("runs");
  reconcile(byId("runs"), runs.reverse(), (run) => run.id, () => fromTemplate("run-row"), drawRun);
  setHidden(byId("under-way"), !runs.length);
  const ended = runs.filter((run) => !GOING.has(run.state) && GOING.has(states.get(run.id)));
  states.clear();
  for (const run of runs) states.set(run.id, run.state);
  for (const run of ended) announce(`${run.title}: ${say[`state_${run.state}`]}`);
  if (ended.some((run) => run.kind === "evaluate")) await drawReports();
  if (ended.some((run) => run.kind === "make")) await drawSets();
};

// Reports

const picked = () => [...document.querySelectorAll("[name=report]:checked")];

const offerCompare = () => {
  const chosen = picked().length;
  byId("compare").disabled = chosen !== 2;
  setText(byId("compare-hint"), chosen === 2 ? "" : chosen > 2 ? say.compare_too_many : say.compare_hint);
};

const drawReports = async () => {
  const { reports } = await request("reports");
  reconcile(byId("reports"), reports, (report) => `${report.own}${report.name}`, () => fromTemplate("report-row"), (row, report) => {
    const name = row.querySelector(".name");
    setText(name, report.title);
    name.href = `/evaluations/${report.name}`;
    const tick = row.querySelector("input");
    tick.value = report.name;
    setLabel(tick, fill(say.pick, { name: `${report.title}, ${dayOf(report.created)}` }));
    tick.onchange = offerCompare;
    setText(row.querySelector(".facts"), [dayOf(report.created), counted("n_rows", report.rows), report.setups.join(", "), report.own ? "" : say.of_shell].filter(Boolean).join(" · "));
    setText(row.querySelector(".sentence"), report.sentence);
    for (const act of ["html", "json"]) one(row, act).href = `/evaluations/${report.name}/${act}`;
    setHidden(one(row, "delete"), !report.own);
    for (const act of ["html", "json", "delete"]) setLabel(one(row, act), `${one(row, act).textContent}: ${report.title}`);
    one(row, "delete").onclick = () => attempt(async () => {
      if (!await areYouSure(fill(say.sure_report, { name: report.title }), say.sure_report_text, say.delete)) return;
      await request(`reports/${report.name}/delete`, {});
      await drawReports();
      byId("made").focus();
    });
  });
  setHidden(byId("no-reports"), reports.length > 0);
  setHidden(byId("compare"), reports.length < 2);
  setHidden(byId("compare-hint"), reports.length < 2);
  offerCompare();
};

byId("compare").addEventListener("click", () => {
  const [a, b] = picked().map((tick) => tick.value);
  location.href = `/evaluations/compare?${query({ one: a, other: b })}`;
});

attempt(async () => {
  await attempt(() => prepare(watch));
  await Promise.all([drawSets, drawReports, watch].map(attempt));
});
