// Answers the search's requests for pages from page_texts.js: see book/_ext/search_texts.py.
{
  const texts = new Promise((arrived) => { window.pageTexts = arrived; });
  const script = document.createElement("script");
  script.src = new URL("page_texts.js", document.currentScript.src);
  document.head.append(script);
  const root = new URL(".", location.href).pathname;
  window.fetch = async (page) => {
    const name = new URL(page, location.href).pathname.slice(root.length).replace(/\.html$/, "");
    return new Response((await texts)[decodeURIComponent(name)] ?? "");
  };
}
