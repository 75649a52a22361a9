/* Links that keep the page's range: choosing another host or another day to compare with changes the path alone. */
(() => {
  "use strict";
  const zs = window.zs;
  document.addEventListener("click", (e) => {
    const a = e.target.closest && e.target.closest("a[data-keep]");
    if (!a || e.ctrlKey || e.metaKey || e.shiftKey || e.button !== 0) return;
    e.preventDefault();
    zs.go(a.getAttribute("href") + location.search);
  });
})();
