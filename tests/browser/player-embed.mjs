// Embeds the player in pages of another site: as an `<iframe>` on a phone, as an element, and in
// React.
//   node player-embed.mjs embed ORIGIN LINK EXPIRED
// EXPIRED is a token of the lecture that has expired.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { build } from "esbuild";
import { axe } from "./axe.mjs";
import { link, origin, other, picture, ready, runPart, text } from "./player-page.mjs";

/** A page of another site with the documented iframe, on a phone, which gets messages and seeks. */
async function embed(context) {
  const guide = await readFile(new URL("../../docs/embed.md", import.meta.url), "utf8");
  const [snippet] =
    /<iframe src="https:\/\/video\.school\.example\/_lectern\/play#VIDEO_URL"[^>]*><\/iframe>/.exec(
      guide,
    ) ?? [];
  const frame = snippet.replace("https://video.school.example", origin).replace(
    "VIDEO_URL",
    link.replaceAll("&", "&amp;"),
  );
  const react = await reactPage(guide);
  let renewals = 0;
  const server = createServer((request, response) => {
    if (request.url === "/link") {
      renewals += 1;
      response.setHeader("content-type", "application/json");
      return response.end(JSON.stringify({ link }));
    }
    response.setHeader("content-type", "text/html");
    if (request.url === "/react") {
      return response.end(`<!doctype html><html lang=en><title>A course</title><main></main>
        <script type=module>${react}</script>`);
    }
    if (request.url === "/two") {
      const source = link.replaceAll("&", "&amp;");
      const players = ["fr", "de"].map(
        (lang) =>
          `<lectern-video src="${source}" lang="${lang}" style="width:640px"></lectern-video>`,
      );
      return response.end(`<!doctype html><html lang=en><title>A course</title><h1>A course</h1>
        <script type=module src="${origin}/_lectern/element.js"></script>${players.join("")}`);
    }
    if (request.url === "/element") {
      const expired = link.replace(/token=[^&]*/, `token=${other}`).replaceAll("&", "&amp;");
      return response.end(`<!doctype html><html lang=en><title>A course</title><h1>A course</h1>
        <script type=module src="${origin}/_lectern/element.js"></script>
        <lectern-video src="${expired}" renew-url="/link" start="0:12" lang="fr"></lectern-video>`);
    }
    response.end(`<!doctype html><html lang=en><title>A course</title>
      <meta name=viewport content="width=device-width"><main><h1>A course</h1>${frame}</main>
      <script>
        window.messages = [];
        addEventListener("message", ({ data, origin }) => messages.push({ ...data, origin }));
      </script>`);
  });
  await new Promise((listening) => server.listen(0, "localhost", listening));
  const page = await context.newPage();
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`http://localhost:${server.address().port}/`);
  const inside = page.frameLocator("iframe");
  await inside.locator("video").evaluate((video) => (video.muted = true));
  await inside.locator("lectern-video .start").click();
  const heard = (type, condition = "true") =>
    page.waitForFunction(`messages.find((message) => message.type === "${type}" && ${condition})`)
      .then((message) => message.jsonValue());
  const ready = await heard("lectern:ready");
  await heard("lectern:play");
  await heard("lectern:progress");
  await page.evaluate(
    (edge) =>
      document.querySelector("iframe").contentWindow.postMessage({
        type: "lectern:seek",
        seconds: 37,
      }, edge),
    origin,
  );
  const progress = await heard("lectern:progress", "message.currentTime > 36");
  const ended = await heard("lectern:ended");
  const size = await page.locator("iframe").boundingBox();
  const scrolls = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  await picture(page, "phone");
  const violations = await axe(page);
  // The element in the school's own page, with a link that has expired.
  await page.goto(`http://localhost:${server.address().port}/element`);
  await page.locator("lectern-video .start").waitFor();
  const played = page.evaluate(
    () =>
      new Promise((resolve) =>
        document.addEventListener("lectern:play", ({ detail }) => resolve(detail.currentTime), {
          once: true,
        })
      ),
  );
  await page.evaluate(() => (document.querySelector("video").muted = true));
  await page.getByRole("button", { name: "Lire" }).first().click();
  const element = { start: Math.round(await played), renewals };
  // Two languages on one page stay apart, also after the library has said something in each.
  await page.goto(`http://localhost:${server.address().port}/two`);
  await page.waitForFunction(() =>
    [...document.querySelectorAll("lectern-video")].every((player) =>
      player.shadowRoot.querySelector(".bar")
    )
  );
  const labels = () =>
    page.evaluate(() =>
      [...document.querySelectorAll("lectern-video")].map((player) =>
        player.shadowRoot.querySelector("lectern-mute").getAttribute("aria-label")
      )
    );
  const languages = [await labels()];
  await page.evaluate(() =>
    [...document.querySelectorAll("video")].forEach((video) => (video.muted = true))
  );
  await page.waitForFunction(() =>
    [...document.querySelectorAll("lectern-video")].every((player) =>
      player.shadowRoot.querySelector("lectern-mute").getAttribute("mediavolumelevel") === "off"
    )
  );
  languages.push(await labels());
  // The component of the guide, in React.
  await page.goto(`http://localhost:${server.address().port}/react`);
  await page.waitForFunction(() => document.querySelector("video")?.readyState > 2);
  await page.evaluate(() => {
    const player = document.querySelector("lectern-video");
    player.video.muted = true;
    player.seek(38);
    return player.video.play();
  });
  const inReact = await page.waitForFunction(() => window.ended).then((ended) => ended.jsonValue());
  server.close();
  server.closeAllConnections();
  return {
    element,
    languages,
    react: inReact.preview,
    origins: [ready.origin === origin, progress.origin === origin],
    preview: ended.preview,
    ratio: size.width / size.height,
    scrolls,
    violations,
  };
}

/** The script of a page with the component that the guide shows. */
async function reactPage(guide) {
  const [, component] = /^```jsx\n([\s\S]*?)^```$/m.exec(guide) ?? [];
  const contents = `import { createRoot } from "react-dom/client";
    ${component.replace("https://video.school.example", origin)}
    const props = { link: ${
    JSON.stringify(link)
  }, renewUrl: "/link", onEnded: (detail) => (window.ended = detail) };
    createRoot(document.querySelector("main")).render(<Lecture {...props} />);`;
  const stdin = { contents, loader: "jsx", resolveDir: import.meta.dirname };
  const define = { "process.env.NODE_ENV": '"production"' };
  const built = await build({
    stdin,
    bundle: true,
    format: "esm",
    jsx: "automatic",
    define,
    minify: true,
    write: false,
  });
  return built.outputFiles[0].text.replaceAll("</script", "<\\/script");
}

await runPart({ embed });
