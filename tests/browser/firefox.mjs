// Firefox, driven over WebDriver BiDi, with a profile of its own that is gone afterwards.
import puppeteer from "puppeteer-core";

/** The time that a busy machine may take for a start. */
const PATIENCE_MS = 300_000;

export async function withFirefox(use, { width, height }) {
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
    headless: true,
    timeout: PATIENCE_MS,
    protocolTimeout: PATIENCE_MS,
    defaultViewport: { width, height },
    extraPrefsFirefox: {
      "media.autoplay.default": 0,
      // The browser of a test asks no other server.
      "network.captive-portal-service.enabled": false,
      "network.connectivity-service.enabled": false,
    },
  });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    return await use({
      open: (url) => page.goto(url),
      evaluate: (text) => page.evaluate(text),
      press: (key) => page.keyboard.press(key),
      click: (x, y) => page.mouse.click(x, y),
      screenshot: (path) => page.screenshot({ path }),
    });
  } finally {
    await browser.close();
  }
}
