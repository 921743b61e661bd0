import { withChromium } from "./chromium.mjs";
import { link } from "/tmp/i/mint.mjs";
const url = link({path:"/courses/linear-algebra/",use:"download",sub:"s42",watermark:"Priya Sharma"});
const origin="http://localhost:18930";
await withChromium(async (context)=>{
  context.setDefaultTimeout(15000);
  const page = await context.newPage();
  page.on("pageerror",(e)=>console.log("ERR",String(e))); page.on("console",(m)=>/error/i.test(m.type())&&console.log("CONSOLE",m.text()));
  await page.goto(`${origin}/_lectern/play#${url.replace(origin,"")}`);
  await page.locator("lectern-video .bar").waitFor();
  await page.waitForTimeout(1500);
  console.log(await page.title(), await page.locator("h1").textContent());
  const shot=(n)=>page.screenshot({path:`/tmp/i/${n}.png`});
  await page.keyboard.press("k"); await page.waitForTimeout(1500); await page.keyboard.press("k"); await page.waitForTimeout(300);
  await shot("d-bar");
  for (const p of ["settings","chapters","transcript","notes","keyboard"]) {
    await page.locator(`lectern-video .button.${p}`).click(); await page.waitForTimeout(700);
    if (p==="notes"){ await page.keyboard.type("Eigenvalues: ask about the proof"); await page.keyboard.press("Enter"); await page.waitForTimeout(200); await page.keyboard.type("Second note"); await page.keyboard.press("Enter"); await page.waitForTimeout(200);} 
    if (p==="transcript"){ await page.keyboard.type("second 1"); await page.waitForTimeout(300);} 
    if (p==="settings"){ await page.locator("summary").click();} 
    await shot("d-"+p);
    await page.keyboard.press("Escape");
  }
  for (const [w,h] of [[640,360],[390,700],[320,180],[320,640]]) {
    await page.setViewportSize({width:w,height:h}); await page.waitForTimeout(500); await shot(`v-${w}x${h}`);
    const more=page.locator("lectern-video .button.more:visible"); 
    if (await more.count()) { await more.click(); await page.waitForTimeout(300); await shot(`v-${w}x${h}-more`); await page.keyboard.press("Escape"); }
    console.log(w,h, await page.evaluate(()=>{const r=document.querySelector("lectern-video").shadowRoot.querySelector(".row"); return [r.scrollWidth,r.clientWidth, [...r.children].filter(e=>e.checkVisibility()).map(e=>e.className||e.localName).join(",")]}));
  }
});
