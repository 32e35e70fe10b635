// Speaking with the page: what is heard so far stands above the message box, and a microphone that cannot be had is told of.
// Chainlit records and plays through two classes that it leaves on the window; here they are fitted to a conversation.
(() => {
  "use strict";
  const say = window.assistantTexts || {};
  const CHUNK_BYTES = 2048; // 43 ms: a word is noticed soon after it begins

  const tell = (what) => window.postMessage({ type: "voice", ...what }, window.location.origin);

  // One line below the message box; `id` tells the notices apart, so that each replaces only its own.
  window.assistantNotice = (id, text) => {
    document.getElementById(id)?.remove();
    if (!text) return;
    const line = Object.assign(document.createElement("p"), { id, className: "notice", textContent: text });
    line.setAttribute("role", "alert");
    document.getElementById("message-composer")?.after(line);
  };
  const notice = (text) => window.assistantNotice("voice-notice", text);

  const caption = (text) => {
    const composer = document.getElementById("message-composer");
    let line = document.getElementById("voice-caption");
    if (!line && composer) {
      line = Object.assign(document.createElement("p"), { id: "voice-caption" });
      line.setAttribute("aria-live", "polite");
      line.setAttribute("aria-label", say.heard);
      composer.prepend(line);
    }
    if (line) line.textContent = text;
  };

  const write = (text) => {
    const box = document.getElementById("chat-input");
    if (!box) return;
    const value = [box.value.trimEnd(), text].filter(Boolean).join(" ");
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, value);
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.focus();
  };

  window.addEventListener("message", ({ source, data }) => {
    if (source !== window || data?.type !== "spoken") return;
    if ("caption" in data) caption(data.caption);
    if ("written" in data) write(data.written);
  });

  const REFUSED = { NotAllowedError: say.microphone_refused, SecurityError: say.microphone_refused, NotFoundError: say.microphone_missing };

  const fitRecorder = ({ prototype }) => {
    const { begin, record, end } = prototype;
    prototype.begin = async function (device) {
      notice("");
      try {
        return await begin.call(this, device);
      } catch (error) {
        notice(REFUSED[error.cause?.name] || say.microphone_busy);
        tell({ do: "refused" });
        await new Promise((resolve) => setTimeout(resolve, 100)); // so that the server learns of it before the end of the sound
        throw error;
      }
    };
    // Told "off" while it begins, or twice, it has ended already: that is no error.
    prototype.record = async function (chunk) {
      return this.processor ? record.call(this, chunk, CHUNK_BYTES) : false;
    };
    prototype.end = async function () {
      return this.processor ? end.call(this) : undefined;
    };
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (window.WavRecorder) fitRecorder(window.WavRecorder);
  });
})();
