// Runs before require.js, which reads its configuration from a global object named `require`.
// Every module of a widget, and the fonts it carries, come from the folder `vendor` beside this file.
(function () {
  var vendor = document.currentScript.src.replace(/[^/]*$/, "") + "vendor/";
  var manager = vendor + "html-manager/dist/";
  window.require = {
    waitSeconds: 0,
    paths: {
      anywidget: vendor + "anywidget/index",
      // Both modules are in embed-amd.js; where they believe themselves to be is where they look for fonts.
      "@jupyter-widgets/html-manager": manager + "index",
      "@jupyter-widgets/html-manager/dist/libembed-amd": manager + "libembed-amd",
    },
  };

  // Widgets speak to MathJax 2 about the formulas in their labels; the page has MathJax 3.
  window.addEventListener("load", function () {
    if (!window.MathJax || window.MathJax.Hub) return;
    window.MathJax.Hub = {
      Queue: function (call) {
        window.MathJax.startup.promise.then(function () {
          return window.MathJax.typesetPromise([call[2]]);
        });
      },
    };
  });
})();
