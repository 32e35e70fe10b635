// The leaderboard of one task, its intervals drawn on one scale.
import { byId, fill, fromTemplate, request, say, setHidden, setLabel, setText } from "./knowledge_parts.js";

const AIR = 40; // rating points beside the outermost interval

export const drawBoard = async (task) => {
  const { rows, votes } = await request(`board?task=${task}`);
  const least = Math.min(...rows.map((row) => row.low)) - AIR;
  const most = Math.max(...rows.map((row) => row.high)) + AIR;
  const share = (rating) => `${(100 * (rating - least)) / (most - least)}%`;
  byId("standings").replaceChildren(...rows.map((row) => {
    const line = fromTemplate("standing-row");
    const whole = (value) => Math.round(value).toLocaleString(say.locale);
    setText(line.querySelector(".rank"), String(row.rank));
    setText(line.querySelector(".name"), row.name);
    setText(line.querySelector(".rating"), whole(row.rating));
    for (const [name, value] of [["won", row.wins], ["lost", row.losses], ["tied", row.ties], ["failures", row.failures]]) setText(line.querySelector(`.${name}`), String(value));
    const bar = Object.assign(document.createElement("span"), { className: "range" });
    const text = fill(say.interval_of, { low: whole(row.low), high: whole(row.high) });
    bar.setAttribute("role", "img");
    setLabel(bar, text);
    bar.title = text;
    const reach = document.createElement("i");
    const middle = document.createElement("b");
    Object.assign(reach.style, { left: share(row.low), right: `calc(100% - ${share(row.high)})` });
    middle.style.left = share(row.rating);
    bar.append(reach, middle);
    line.querySelector(".interval").replaceChildren(bar, Object.assign(document.createElement("span"), { className: "quiet", textContent: `${whole(row.low)}–${whole(row.high)}` }));
    return line;
  }));
  setHidden(document.querySelector("#board table"), !rows.length);
  setHidden(byId("board-none"), rows.length > 0);
  setText(byId("votes"), votes ? fill(say.votes_n, { n: votes }) : "");
};
