// Light or dark as chosen in the chat; otherwise as the system has it.
(() => {
  "use strict";
  const chosen = localStorage.getItem("vite-ui-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
