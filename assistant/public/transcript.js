// A transcript that plays: click a line or a word to hear it, the spoken one is marked, a field finds text. Who spoke is
// found out by the server, while this page may be left and come back.
(() => {
  "use strict";
  const player = document.getElementById("player");
  const lines = [...document.querySelectorAll("#lines > li")];
  const starts = lines.map((line) => Number(line.dataset.start));
  const find = document.getElementById("find");
  const found = document.getElementById("found");
  let current = -1;
  let hits = [];
  let hit = -1;

  const lineAt = (time) => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= time + 0.05) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };

  const show = (line) => line.scrollIntoView({ block: "center", behavior: "smooth" });

  const mark = (number, follow) => {
    if (number === current) return;
    lines[current]?.removeAttribute("aria-current");
    current = number;
    lines[current]?.setAttribute("aria-current", "true");
    if (follow && lines[current]) show(lines[current]);
  };

  const hear = (time, play = true) => {
    if (!player) return;
    player.currentTime = time;
    if (play) player.play().catch(() => {});
  };

  const words = (time) => {
    document.querySelector(".spoken")?.classList.remove("spoken");
    const spoken = [...(lines[current]?.querySelectorAll("span[data-start]") || [])].filter((w) => Number(w.dataset.start) <= time + 0.05);
    spoken.at(-1)?.classList.add("spoken");
  };

  player?.addEventListener("timeupdate", () => {
    mark(lineAt(player.currentTime), !player.paused);
    words(player.currentTime);
  });

  document.getElementById("lines").addEventListener("click", (event) => {
    if (String(window.getSelection())) return;
    const line = event.target.closest("li");
    if (!line) return;
    const at = event.target.closest("span[data-start]") || line;
    mark(lines.indexOf(line), false);
    hear(Number(at.dataset.start));
  });

  const step = (by) => {
    const next = Math.min(Math.max(current + by, 0), lines.length - 1);
    mark(next, true);
    lines[next]?.querySelector("button").focus({ preventScroll: true });
    hear(starts[next], player && !player.paused);
  };

  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  const search = () => {
    const wanted = plain(find.value.trim());
    lines.forEach((line) => line.classList.remove("hit"));
    hits = wanted ? lines.filter((line) => plain(line.querySelector("p").textContent).includes(wanted)) : [];
    hits.forEach((line) => line.classList.add("hit"));
    found.textContent = wanted ? String(hits.length) : "";
    hit = -1;
  };

  find.addEventListener("input", () => {
    search();
    if (hits[0]) show(hits[0]);
  });
  find.form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!hits.length) return;
    hit = (hit + 1) % hits.length;
    mark(lines.indexOf(hits[hit]), true);
    hear(Number(hits[hit].dataset.start), false);
  });

  document.addEventListener("keydown", (event) => {
    if (event.target === find || event.target.closest("a, audio, video, #who") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " && player) player[player.paused ? "play" : "pause"]();
    else if (event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowUp") step(-1);
    else return;
    event.preventDefault();
  });
  // A button that has the focus would be pressed by the space bar too.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && event.target.closest("#lines")) event.preventDefault();
  });

  const jump = () => {
    const time = Number(new URLSearchParams(window.location.hash.slice(1)).get("t") || NaN);
    if (Number.isNaN(time)) return;
    mark(lineAt(time), true);
    hear(time, false);
  };
  window.addEventListener("hashchange", jump);
  jump();
})();

(() => {
  "use strict";
  const who = document.getElementById("who");
  if (!who) return;
  const EVERY_MS = 500;
  const address = `${window.location.pathname}/speakers`;
  const form = document.getElementById("tell-apart");
  const telling = document.getElementById("telling");
  const told = document.getElementById("who-told");
  const SHOWN = "who-spoke"; // over one reload

  const ask = async (method, query = "", body = undefined) => {
    const headers = body ? { "Content-Type": "application/json" } : {};
    const answer = await fetch(address + query, { method, headers, body: body && JSON.stringify(body) });
    const value = await answer.json();
    if (!answer.ok) throw new Error(typeof value.detail === "string" ? value.detail : told.dataset.unreachable);
    return value;
  };
  const say = (error) => (told.textContent = error instanceof TypeError ? told.dataset.unreachable : error.message);

  const working = (fraction) => {
    const on = fraction !== undefined;
    form.querySelector("button").disabled = on;
    telling.hidden = !on;
    if (on) telling.querySelector("progress").value = fraction;
  };

  const reload = () => {
    const time = document.getElementById("player")?.currentTime || 0;
    sessionStorage.setItem(SHOWN, address);
    window.history.replaceState(null, "", `#t=${time.toFixed(1)}`);
    window.location.reload();
  };

  const follow = async () => {
    try {
      const now = await ask("GET");
      if (now.state === "running") {
        who.open = true;
        working(now.fraction);
        setTimeout(follow, EVERY_MS);
      } else if (!telling.hidden) {
        working();
        if (now.state === "done" && !telling.dataset.stopped) reload();
        told.textContent = now.message || (telling.dataset.stopped ? told.dataset.stopped : "");
      }
    } catch (error) {
      say(error);
      if (!telling.hidden) setTimeout(follow, 4 * EVERY_MS);
    }
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    told.textContent = "";
    delete telling.dataset.stopped;
    working(0);
    telling.querySelector("button").focus();
    try {
      await ask("POST", `?count=${form.elements.count.value}`);
      if (telling.dataset.stopped) await ask("DELETE");
      follow();
    } catch (error) {
      working();
      say(error);
    }
  });

  telling.querySelector("button").addEventListener("click", () => {
    telling.dataset.stopped = "yes";
    ask("DELETE").catch(say);
  });

  document.getElementById("names").addEventListener("change", async ({ target }) => {
    const { speaker } = target.dataset;
    if (!target.reportValidity()) return;
    try {
      const names = await ask("PUT", "", { [speaker]: target.value });
      for (const name of document.querySelectorAll("#lines b")) name.textContent = names[name.dataset.speaker];
      target.value = names[speaker];
      told.textContent = told.dataset.saved;
    } catch (error) {
      say(error);
    }
  });

  if (sessionStorage.getItem(SHOWN) === address) {
    sessionStorage.removeItem(SHOWN);
    who.open = true;
    who.querySelector("input, summary").focus();
  }
  follow();
})();
