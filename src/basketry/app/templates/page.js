(() => {
  "use strict";
  const root = document.documentElement;

  function speak(language) {
    root.dataset.lang = language;
    root.lang = language === "zh" ? "zh-Hans" : "en";
    for (const element of document.querySelectorAll("[data-say]")) {
      element.setAttribute(element.dataset.say, language === "zh" ? element.dataset.sayZh : element.dataset.sayEn);
    }
  }
  if (root.dataset.lang === "zh" || (!("chosen" in root.dataset) && /^zh\b/.test(navigator.language))) speak("zh");
  document.querySelector("#language").addEventListener("click", () => speak(root.dataset.lang === "zh" ? "en" : "zh"));
  document.querySelector("#theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
})();
