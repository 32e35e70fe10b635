// What the list and the form both tell: what came of the last thing that was pressed, and what a prompt bought.
import { byId, say, setHidden, setText } from "./knowledge_parts.js";

export const tell = (text) => {
  setHidden(byId("said"), false);
  setText(byId("said"), text);
};
export const quiet = () => {
  setText(byId("said"), "");
  setHidden(byId("said"), true);
};

export const drawGain = (place, gain) => {
  place.replaceChildren();
  if (!gain) return;
  const told = Object.assign(document.createElement("span"), { textContent: gain.said });
  if (gain.good !== null) told.dataset.good = String(gain.good);
  place.append(told);
  if (gain.report) place.append(" ", Object.assign(document.createElement("a"), { href: gain.report, textContent: say.report }));
};
