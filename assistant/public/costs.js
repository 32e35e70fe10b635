// Below the message box: where what stands in it would go, and about what it would cost. The server knows; here it is only asked.
(() => {
  "use strict";
  const TOOLS = { image: "generate_image", search: "search_knowledge", transcribe: "transcribe_audio" };
  const PAUSE_MS = 350;
  let asked = 0;
  let connected = false;
  let last = "";
  let waiting = 0;

  const composer = () => document.getElementById("message-composer");

  const now = () => {
    const command = composer()?.querySelector(".command-button.text-command")?.id.replace("command-", "");
    const files = document.querySelectorAll("#attachments > *").length;
    return { text: document.getElementById("chat-input")?.value || "", files, tool: TOOLS[command] || null, command: command || null };
  };

  const show = (text, leaves) => {
    const box = composer();
    if (!box) return;
    let line = document.getElementById("cost-line");
    if (!line) {
      line = Object.assign(document.createElement("p"), { id: "cost-line" });
      line.setAttribute("role", "status");
    }
    if (line.previousElementSibling !== box) box.after(line);
    if (line.textContent !== text) line.textContent = text;
    line.classList.toggle("leaves", leaves);
  };

  const ask = () => {
    const what = now();
    const key = JSON.stringify(what);
    if (!connected || !composer() || key === last) return;
    last = key;
    asked += 1;
    window.postMessage({ type: "cost", n: asked, ...what }, window.location.origin);
  };

  const soon = () => {
    waiting ||= setTimeout(() => {
      waiting = 0;
      ask();
    }, PAUSE_MS);
  };

  let line = null;
  window.addEventListener("message", (event) => {
    const { source, data } = event;
    if (source !== window) return;
    if (data?.type === "cost_line") event.stopImmediatePropagation(); // Chainlit would send it back to the server
    if (data?.type === "spoken" && data.connected) {
      connected = true;
      last = "";
      soon();
    }
    if (data?.type === "cost_line" && data.n === asked) {
      line = data;
      show(data.line, data.leaves);
    }
    if ((data?.type === "cost_line" && data.again) || data?.type === "prompt_inputs") {
      last = "";
      soon();
    }
  });

  document.addEventListener("input", (event) => event.target.id === "chat-input" && soon(), true);
  // The box is drawn anew where a conversation begins, and files come and go in it.
  new MutationObserver(() => {
    if (line && composer() && !document.getElementById("cost-line")) show(line.line, line.leaves);
    soon();
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
