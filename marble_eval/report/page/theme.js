// Sets the theme before anything is drawn, so that no page flashes in the wrong one.
(() => {
  "use strict";
  try {
    const theme = localStorage.getItem("marble-eval-theme");
    if (theme === "light" || theme === "dark") {
      document.documentElement.dataset.theme = theme;
    }
  } catch {
    // A page opened from a file may have no storage; the system's theme serves.
  }
})();
