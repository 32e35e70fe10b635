// The versions of a prompt: when each was saved, what changed since, and back to one of them.
import { attempt, byId, dayOf, fill, fromTemplate, query, request, say, setHidden, setLabel, setText } from "./knowledge_parts.js";

// `restore` gets the number of the one to go back to.
export const drawVersions = (name, versions, restore) => {
  setHidden(byId("versions"), !versions.length || !versions[0].created);
  byId("dated").replaceChildren(...versions.map((one, number) => row(name, one, number === 0, restore)));
};

const row = (name, { version: n, created }, present, restore) => {
  const item = fromTemplate("version-row");
  setText(item.querySelector("b"), fill(say.version_n, { n }));
  setText(item.querySelector(".quiet"), [dayOf(created), present ? say.present : ""].filter(Boolean).join(" · "));
  setHidden(item.querySelector(".buttons"), present);
  const button = item.querySelector(".compare");
  setLabel(button, fill(say.compare_version_n, { n }));
  button.addEventListener("click", () => attempt(() => compare(item, name, n)));
  setLabel(item.querySelector(".restore"), fill(say.restore_n, { n }));
  item.querySelector(".restore").addEventListener("click", () => restore(n));
  return item;
};

const compare = async (item, name, n) => {
  const place = item.querySelector("pre");
  if (place.hidden) {
    const { changes } = await request(`version?${query({ name, version: n })}`);
    const legend = changes.length ? [line("−", fill(say.only_then, { n })), line("+", say.only_now), line("", "")] : [line("", say.no_change)];
    place.replaceChildren(...legend, ...changes.map(([sign, text]) => line(sign === "-" ? "−" : sign, text)));
  }
  setHidden(place, !place.hidden);
  item.querySelector(".compare").setAttribute("aria-expanded", String(!place.hidden));
};

const line = (sign, text) => {
  const element = document.createElement({ "−": "del", "+": "ins" }[sign] || "span");
  element.textContent = `${sign.padEnd(2)}${text}\n`;
  return element;
};
