// Hands-free conversation: a button in the message box. Answers are heard as they are written; then the server is told
// to listen again, and before that what is playing when, so that it knows its own voice. `data-voice` on the document is "listening", "thinking" or "speaking".
(() => {
  "use strict";
  const say = window.assistantTexts || {};
  const root = document.documentElement;
  const LEAD_S = 0.05; // so that the first sound is not cut
  const CLOSED_MS = 300; // a microphone needs to close
  const LONGEST_PAUSE_MS = 1500; // should the server hear nothing more

  let on = false;
  let muted = false;
  let speaker = null; // the AudioContext
  let until = 0; // its time when all that is planned has been played
  let answer = 0; // the number of the answer that is being said
  let hushed = 0; // of the last one that is to be silent
  let interrupted = 0; // of the one that the person spoke over: the microphone is open already
  let over = false; // nothing more of it will come
  let paused = 0; // the timer of a pause
  const playing = new Set();

  const tell = (what) => window.postMessage({ type: "voice", ...what }, window.location.origin);
  const notice = (text) => window.assistantNotice("hands-free-notice", text);
  const show = (state) => (state ? (root.dataset.voice = state) : delete root.dataset.voice);

  const finish = () => {
    if (!on || !over || playing.size) return;
    over = false;
    tell({ do: "listen", speech: answer });
  };
  const ended = (sound) => () => playing.delete(sound) && finish();

  // Somebody may be speaking over the answer: it waits until the server knows.
  const pause = (waits) => {
    clearTimeout(paused);
    if (waits) paused = setTimeout(() => pause(false), LONGEST_PAUSE_MS);
    speaker?.[waits ? "suspend" : "resume"]();
    window.speechSynthesis?.[waits ? "pause" : "resume"]();
  };

  const silence = () => {
    pause(false);
    for (const sound of playing) sound.stop?.();
    playing.clear();
    window.speechSynthesis?.cancel();
    until = 0;
    hushed = answer;
    finish();
  };

  const play = ({ pcm, rate_hz: rate, piece }) => {
    const bytes = Uint8Array.from(atob(pcm), (letter) => letter.charCodeAt(0));
    const samples = Float32Array.from(new Int16Array(bytes.buffer), (sample) => sample / 32768);
    if (!samples.length) return;
    const source = speaker.createBufferSource();
    source.buffer = speaker.createBuffer(1, samples.length, rate);
    source.buffer.copyToChannel(samples, 0);
    source.connect(speaker.destination);
    source.onended = ended(source);
    playing.add(source);
    until = Math.max(until, speaker.currentTime + LEAD_S);
    source.start(until);
    tell({ do: "plays", speech: answer, piece, in_s: until - speaker.currentTime });
    until += source.buffer.duration;
    show("speaking");
  };

  // Other voices than local ones would send the answer away.
  const speak = (sentence, language) => {
    const local = (window.speechSynthesis?.getVoices() || []).filter((voice) => voice.localService === true);
    const voice = local.find(({ lang }) => lang.toLowerCase().split(/[-_]/)[0] === language);
    if (!voice) {
      notice(say.no_voice);
      return;
    }
    const utterance = Object.assign(new SpeechSynthesisUtterance(sentence), { voice, lang: voice.lang });
    utterance.onend = utterance.onerror = ended(utterance);
    playing.add(utterance);
    window.speechSynthesis.speak(utterance);
    show("speaking");
  };

  const set = (value) => {
    on = value;
    over = false;
    silence();
    answer = hushed = interrupted = 0;
    if (!on) show("");
    dress();
  };

  // A connection begins, or begins anew: nobody listens at its other end. A microphone that was left open is closed;
  // hands-free goes on.
  const connected = () => {
    const open = document.querySelector("[data-microphone]:has(.lucide-x)");
    const again = on;
    if (again) set(true);
    open?.click();
    if (again) setTimeout(() => on && tell({ do: "hands_free", on, muted }), CLOSED_MS);
    else if (open) notice(say.broke_off);
  };

  const toggle = () => {
    set(!on);
    notice("");
    if (on) {
      speaker ||= new AudioContext();
      speaker.resume();
      window.speechSynthesis?.getVoices(); // they load after the first question
    }
    tell({ do: "hands_free", on, muted });
  };

  const mute = () => {
    muted = !muted;
    if (muted) silence();
    tell({ do: "hands_free", on, muted });
    dress();
  };

  const button = (id, name, pressed, press) => {
    const row = document.querySelector("#chat-settings-open-modal")?.parentElement;
    let found = document.getElementById(id);
    if (!found && row) {
      found = Object.assign(document.createElement("button"), { id, type: "button", className: "voice-button", textContent: name });
      found.addEventListener("click", press);
      row.append(found);
    }
    if (found && found.getAttribute("aria-pressed") !== String(pressed)) found.setAttribute("aria-pressed", String(pressed));
    return found;
  };

  const dress = () => {
    const main = button("hands-free", say.hands_free, on, toggle);
    if (main && !main.title) main.title = say.hands_free_hint;
    if (main && main.disabled === window.isSecureContext) main.disabled = !window.isSecureContext;
    if (on) button("mute", say.mute, muted, mute);
    else document.getElementById("mute")?.remove();
  };
  new MutationObserver(dress).observe(root, { childList: true, subtree: true, attributeFilter: ["data-microphone"] });

  const stopSaying = () => {
    if (!on) return;
    silence();
    tell({ do: "hush" });
  };
  document.addEventListener("keydown", ({ key }) => key === "Escape" && root.dataset.voice === "speaking" && stopSaying(), true);
  document.addEventListener("click", ({ target }) => {
    if (target.closest?.("#stop-button")) stopSaying();
    else if (target.closest?.("[data-microphone]") && root.dataset.voice === "speaking") {
      interrupted = answer;
      over = false;
      silence();
    }
  }, true);

  window.addEventListener("message", (event) => {
    const { source, data } = event;
    if (source !== window || data?.type !== "spoken") return;
    event.stopImmediatePropagation(); // or Chainlit would send it all back
    if (data.notice) notice(data.notice);
    if (data.hands_free === false && on) set(false);
    if (data.connected) connected();
    if (!on) return;
    if (data.speech > answer) {
      over = false;
      silence();
      answer = data.speech;
    }
    if (data.state) show(data.state);
    if (data.speech !== answer) return;
    if ("pause" in data) pause(data.pause);
    if (data.hush) silence();
    if (data.over) {
      over = answer !== interrupted;
      finish();
    } else if (answer > hushed) {
      if (data.pcm) play(data);
      if (data.sentence) speak(data.sentence, data.language);
    }
  });
})();
