// What the browser adds to Chainlit's page: names for its icon buttons, a welcome, passages beside the chat,
// long pastes as documents, and word of it where the microphone cannot work.
(() => {
  "use strict";
  const say = window.assistantTexts || {};
  const LONGEST_PASTE = 60000;

  if (!localStorage.getItem("vite-ui-theme")) localStorage.setItem("vite-ui-theme", "system");

  const NAMES = {
    "#chat-submit": say.send,
    "#stop-button": say.stop,
    "#upload-button": say.attach,
    "#upload-button-input": say.attach,
    "#chat-settings-open-modal": say.settings,
    "#new-chat-button": say.new_chat,
    "#search-chats-button": say.search,
    "#theme-toggle": say.theme,
    "#chat-input": say.message,
    "#edit-chat-input": say.edit,
    ".edit-message": say.edit,
    ".positive-feedback-on, .positive-feedback-off": say.good,
    ".negative-feedback-on, .negative-feedback-off": say.bad,
    "#side-view-title button": say.close,
    "[data-sidebar=trigger], #sidebar-trigger-button": say.sidebar,
    ".lucide-copy": say.copy,
    '#header :is(a, button):has(img[src$="/public/history.svg"])': say.history,
    '#header :is(a, button):has(img[src$="/public/compare.svg"])': say.compare,
    '#header :is(a, button):has(img[src$="/public/knowledge.svg"])': say.knowledge,
    '#header :is(a, button):has(img[src$="/public/evaluations.svg"])': say.evaluations,
    '#header :is(a, button):has(img[src$="/public/prompts.svg"])': say.prompts,
    '#header :is(a, button):has(img[src$="/public/models.svg"])': say.models,
  };

  const label = (element, name) => {
    const target = element.tagName === "svg" ? element.closest("button") : element;
    if (target && name && target.getAttribute("aria-label") !== name) target.setAttribute("aria-label", name);
  };

  // Chainlit's word for it is English everywhere.
  const listening = () => {
    const word = document.querySelector("#header .absolute .text-muted-foreground");
    if (word && word.dataset.word !== say.listening) word.dataset.word = say.listening;
  };

  const microphone = () => {
    const button = document.querySelector("#message-composer button:not([id])");
    if (!button || button.closest("#attachments")) return;
    label(button, button.querySelector(".lucide-x") ? say.stop_speaking : say.speak);
    button.dataset.microphone = "";
    if (window.isSecureContext) return;
    button.disabled = true;
    button.title = say.microphone;
    const composer = document.getElementById("message-composer");
    if (composer && !document.getElementById("microphone-notice")) {
      const notice = Object.assign(document.createElement("p"), { id: "microphone-notice", className: "notice" });
      notice.setAttribute("role", "note");
      notice.textContent = say.microphone;
      composer.after(notice);
    }
  };

  const welcome = () => {
    const logo = document.querySelector(".welcome-screen > .logo");
    if (!logo || document.querySelector(".greeting")) return;
    const greeting = Object.assign(document.createElement("h1"), { className: "greeting", textContent: say.greeting });
    const hint = Object.assign(document.createElement("p"), { className: "greeting-hint", textContent: say.hint });
    logo.after(greeting, hint);
  };

  const skipLink = () => {
    if (document.querySelector(".skip") || !document.getElementById("chat-input")) return;
    const link = Object.assign(document.createElement("a"), { className: "skip", href: "#chat-input", textContent: say.skip });
    link.addEventListener("click", (event) => {
      event.preventDefault();
      document.getElementById("chat-input")?.focus();
    });
    document.body.prepend(link);
  };

  const announce = () => {
    const list = document.querySelector("[data-step-type]")?.parentElement;
    if (!list) return;
    list.setAttribute("role", "log");
    list.setAttribute("aria-live", "polite");
    list.setAttribute("aria-busy", String(Boolean(document.getElementById("stop-button"))));
  };

  let planned = false;
  const dress = () => {
    planned = false;
    for (const [selector, name] of Object.entries(NAMES)) document.querySelectorAll(selector).forEach((e) => label(e, name));
    document.querySelectorAll("#starters img").forEach((image) => image.setAttribute("alt", ""));
    microphone();
    listening();
    welcome();
    skipLink();
    announce();
  };
  new MutationObserver(() => {
    if (!planned) requestAnimationFrame(dress);
    planned = true;
  }).observe(document.documentElement, { childList: true, subtree: true });

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="/passages/"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !/^\/passages\/[^/]+$/.test(link.getAttribute("href"))) return;
    event.preventDefault();
    window.postMessage({ type: "passage", id: link.getAttribute("href").split("/").pop() }, window.location.origin);
  }, true);

  // A time before a line of a transcript plays the recording below the same answer; elsewhere its page opens.
  const TIME = 'a[href^="/transcripts/"][href*="#t="]';
  const timeOf = (link) => Number(link.getAttribute("href").split("#t=")[1]);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.(TIME);
    const player = link?.closest("[data-step-type]")?.querySelector("audio, video");
    if (!player || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    player.currentTime = timeOf(link);
    player.play().catch(() => {});
  }, true);
  document.addEventListener("timeupdate", (event) => {
    const links = [...(event.target.closest?.("[data-step-type]")?.querySelectorAll(TIME) || [])];
    const spoken = links.filter((link) => timeOf(link) <= event.target.currentTime + 0.05).at(-1);
    for (const link of links) link === spoken ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  }, true);

  const attach = (text) => {
    const input = document.getElementById("upload-button-input");
    if (!input) return false;
    const files = new DataTransfer();
    files.items.add(new File([text], say.long_name, { type: "text/plain" }));
    input.files = files.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  };

  document.addEventListener("paste", (event) => {
    const text = event.clipboardData?.getData("text/plain") || "";
    if (event.target.id === "chat-input" && text.length > LONGEST_PASTE && attach(text)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }, true);
})();
