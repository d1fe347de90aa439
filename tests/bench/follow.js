#!/usr/bin/env node
// Follows a log that grows in two browsers at once, each cut off for a while, and says whether
// lines were missing or came twice.
//
//   npm install puppeteer-core
//   node follow.js http://127.0.0.1:8010/builders/B/builds/N/steps/S/logs/L LINES
//
// Start it while the log has at most 22 lines, which the page shows at once. LINES is the number of
// the last line that will come. Each browser is a second and a half
// without its connection; a log that grows by more than 5 000 lines meanwhile is shown with a
// link in place of those between, which counts as skipped. CHROME names the browser.
'use strict'
const path = require.resolve('puppeteer-core', { paths: [process.cwd(), __dirname] })
const puppeteer = require(path)
const [log, lines] = process.argv.slice(2)
const wait = ms => new Promise(done => setTimeout(done, ms))

async function follow(name) {
  const executablePath = process.env.CHROME || '/usr/bin/chromium'
  const browser = await puppeteer.launch({ executablePath, args: ['--no-sandbox'] })
  const page = await browser.newPage()
  await page.goto(log, { waitUntil: 'load' })
  await page.evaluate(() => {
    window.came = []
    window.skipped = 0
    const note = row => {
      if (row.id) window.came.push(Number(row.id.slice(1)))
      else if (row.classList?.contains('cut')) window.skipped++
    }
    const rows = document.querySelector('pre[data-log]')
    for (const row of rows.children) note(row)
    const look = all => all.forEach(change => change.addedNodes.forEach(note))
    new MutationObserver(look).observe(rows, { childList: true })
  })
  await wait(2000 + 500 * name)
  await page.setOfflineMode(true)
  await wait(1500)
  await page.setOfflineMode(false)
  for (let at = 0, end = Date.now() + 600_000; at < Number(lines) && Date.now() < end;) {
    await wait(500)
    at = await page.evaluate(() => window.came.at(-1) || 0)
  }
  const { came, skipped } = await page.evaluate(() => ({ came: window.came, skipped: window.skipped }))
  await browser.close()
  const distinct = new Set(came)
  const missing = Number(lines) - distinct.size
  const inOrder = came.every((line, at) => !at || line >= came[at - 1])
  console.log(JSON.stringify({ name, lines: distinct.size, missing, twice: came.length - distinct.size, skipped, inOrder }))
  return missing <= 0 && came.length === distinct.size && inOrder
}

Promise.all([follow(0), follow(1)]).then(good => process.exit(good.every(Boolean) ? 0 : 1))
