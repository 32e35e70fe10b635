// Beside “Ask”: where the whole question would go, to all candidates, and about what it would cost. The server knows; here it is only asked.
import { byId, request, setText } from "./knowledge_parts.js";
import { wished } from "./compare_form.js";

const PAUSE_MS = 350;
let asked = 0;
let last = "";
let waiting = 0;

const show = ({ line, leaves }) => {
  setText(byId("cost"), line);
  byId("cost").classList.toggle("leaves", leaves);
};

// What cannot be estimated yet, as a model whose name is half written, has no line; “Ask” says what is wrong with it.
const ask = async () => {
  let wish = null;
  try {
    wish = wished();
  } catch {
    last = "";
    asked += 1;
    return show({ line: "", leaves: false });
  }
  const key = JSON.stringify(wish);
  if (key === last) return null;
  last = key;
  asked += 1;
  const turn = asked;
  const found = await request("estimate", wish).catch(() => ({ line: "", leaves: false }));
  return turn === asked ? show(found) : null;
};

const soon = () => {
  clearTimeout(waiting);
  waiting = setTimeout(ask, PAUSE_MS);
};

byId("wish").addEventListener("input", soon);
byId("wish").addEventListener("change", soon);
document.addEventListener("wish", soon);
