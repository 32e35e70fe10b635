// Painting over a part of a picture that shall be drawn anew. The server says of which picture of the last answer; what was
// painted goes back to it as a picture, white on black, with the words for what shall be there.
(() => {
  "use strict";
  const say = window.assistantTexts || {};
  const LARGEST_PX = 1024;
  const STEPS_KEPT = 30;

  const make = (tag, values = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), values);
    element.append(...children);
    return element;
  };

  const painting = (width, height) => {
    const scale = Math.min(1, LARGEST_PX / Math.max(width, height));
    const canvas = make("canvas", { width: Math.round(width * scale), height: Math.round(height * scale), tabIndex: 0 });
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", say.brush_canvas);
    const pen = canvas.getContext("2d");
    const at = { x: canvas.width / 2, y: canvas.height / 2, radius: canvas.width / 12, down: false, shown: false };
    let strokes = [];

    const draw = () => {
      pen.clearRect(0, 0, canvas.width, canvas.height);
      pen.fillStyle = pen.strokeStyle = "#e11d48";
      paint(pen);
      if (!at.shown) return;
      pen.lineWidth = 2;
      for (const [colour, more] of [["#000", 0], ["#fff", 2]]) {
        pen.strokeStyle = colour;
        pen.beginPath();
        pen.arc(at.x, at.y, at.radius + more, 0, 7);
        pen.stroke();
      }
    };
    const paint = (on) => {
      on.lineCap = on.lineJoin = "round";
      for (const { radius, points } of strokes) {
        on.lineWidth = radius * 2;
        on.beginPath();
        on.moveTo(points[0].x, points[0].y);
        for (const { x, y } of points) on.lineTo(x, y + 0.01);
        on.stroke();
      }
    };
    const begin = () => {
      at.down = true;
      strokes = [...strokes.slice(-STEPS_KEPT * 10), { radius: at.radius, points: [{ x: at.x, y: at.y }] }];
    };
    const go = (x, y) => {
      at.x = Math.max(0, Math.min(canvas.width, x));
      at.y = Math.max(0, Math.min(canvas.height, y));
      at.shown = true;
      if (at.down) strokes.at(-1).points.push({ x: at.x, y: at.y });
    };
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      go(((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height);
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      place(event);
      begin();
      draw();
    });
    canvas.addEventListener("pointermove", (event) => { place(event); draw(); });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { at.down = false; });
    canvas.addEventListener("pointerleave", () => { at.shown = at.down; draw(); });
    canvas.addEventListener("focus", () => { at.shown = true; draw(); });
    const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    canvas.addEventListener("keydown", (event) => {
      const move = MOVES[event.key];
      if (move) go(at.x + move[0] * at.radius / 2, at.y + move[1] * at.radius / 2);
      else if (event.key !== " ") return;
      else if (at.down) at.down = false;
      else begin();
      event.preventDefault();
      draw();
    });
    return {
      canvas,
      resize: (part) => { at.radius = canvas.width * part; draw(); },
      undo: () => { strokes = strokes.slice(0, -1); at.down = false; draw(); },
      clear: () => { strokes = []; at.down = false; draw(); },
      isEmpty: () => !strokes.length,
      mask: () => {
        const page = make("canvas", { width: canvas.width, height: canvas.height });
        const on = page.getContext("2d");
        on.fillStyle = "#000";
        on.fillRect(0, 0, page.width, page.height);
        on.strokeStyle = "#fff";
        paint(on);
        return page.toDataURL("image/png");
      },
    };
  };

  const open = ({ turn, picture }) => {
    const answer = document.getElementById(`brush-${picture}`)?.closest("[data-step-type]");
    const url = answer?.querySelectorAll('img[src^="/files/"]')[picture]?.src;
    const image = make("img", { alt: say.brush_picture });
    image.addEventListener("error", () => window.assistantNotice("brush-notice", say.brush_gone));
    image.addEventListener("load", () => show(image, turn, picture));
    image.src = url || "/files/";
  };

  const show = (image, turn, picture) => {
    const area = painting(image.naturalWidth, image.naturalHeight);
    const size = make("input", { type: "range", id: "brush-size", min: 2, max: 25, value: 8 });
    size.addEventListener("input", () => area.resize(size.value / 100));
    const wish = make("input", { type: "text", id: "brush-wish", maxLength: 500, required: true, autocomplete: "off" });
    const missing = make("p", { id: "brush-missing" });
    missing.setAttribute("role", "alert");
    const button = (id, text, click, type = "button") => {
      const made = make("button", { id, type, textContent: text });
      if (click) made.addEventListener("click", click);
      return made;
    };
    const form = make(
      "form",
      { method: "dialog" },
      make("h2", { id: "brush-title", textContent: say.brush_title }),
      make("p", { textContent: say.brush_how }),
      make("div", { className: "brush-area" }, image, area.canvas),
      make("label", { htmlFor: "brush-size", textContent: say.brush_size }, size),
      make("label", { htmlFor: "brush-wish", textContent: say.brush_wish }, wish),
      missing,
      make(
        "div",
        { className: "brush-buttons" },
        button("brush-undo", say.brush_undo, area.undo),
        button("brush-clear", say.brush_clear, area.clear),
        button("brush-cancel", say.brush_cancel, () => dialog.close()),
        button("brush-draw", say.brush_draw, null, "submit"),
      ),
    );
    const dialog = make("dialog", { id: "brush" }, form);
    dialog.setAttribute("aria-labelledby", "brush-title");
    for (const kind of ["pointerdown", "keydown"]) area.canvas.addEventListener(kind, () => { missing.textContent = ""; });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (area.isEmpty()) {
        missing.textContent = say.brush_missing;
        area.canvas.focus();
        return;
      }
      window.postMessage({ type: "masked", turn, picture, wish: wish.value, mask: area.mask() }, window.location.origin);
      dialog.close();
    });
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    area.resize(size.value / 100);
  };

  window.addEventListener("message", ({ data, origin }) => {
    if (origin === window.location.origin && data?.type === "brush") open(data);
  });
})();
