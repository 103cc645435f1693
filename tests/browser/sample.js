'use strict';

// What a person does on the sample page.

const assert = require('node:assert/strict');
const {requireInstalled, startBrowser, startChannelServer, startWebSocketService} = require('./harness.js');

const WIDE = {width: 1280, height: 800};
const PHONE = {width: 390, height: 780};

/** The real services and a browser. `close` of the services comes with withCleanUp(). */
async function start({channelFlags, serviceFlags} = {}) {
  const channelServer = await startChannelServer(channelFlags);
  const service = await startWebSocketService(channelServer, 0, undefined, serviceFlags);
  return {channelServer, service, browser: await startBrowser(), url: `http://127.0.0.1:${service.port}/`};
}

/** A tab of its own person: with storage that no other tab has. */
async function openTab(browser, url, {name, group, ...options}) {
  const context = await browser.newContext({viewport: WIDE, colorScheme: 'light', ...options});
  const query = new URLSearchParams({name, group});
  return openPage(context, url + (url.includes('?') ? '&' : '?') + query);
}

async function openPage(context, url) {
  const page = await context.newPage();
  page.on('pageerror', (error) => assert.fail(`in the page: ${error.stack}`));
  await page.goto(url);
  return page;
}

async function join(page) {
  await page.getByRole('button', {name: 'Join', exact: true}).click();
  await isJoined(page);
}

// The members come after the answer to the join.
const isJoined = (page) => page.locator('#members-count').getByText(/^\d+ here$/).waitFor();

/** A tab that is in the group. */
async function openMember(browser, url, options) {
  const page = await openTab(browser, url, options);
  await join(page);
  return page;
}

async function say(page, text) {
  const field = page.getByLabel('Message', {exact: true});
  await field.fill(text);
  await field.press('Enter');
}

/** Ends the 10 s without a network, if they have not ended yet. */
const comeBack = (page) => page.locator('#offline').evaluate((item) => {
  if (item.textContent === 'Come back now') item.click();
});

/**
 * Sends messages over a connection that is no page's, until all are acknowledged. More than 64 leave no worker a recent
 * message from before.
 */
async function sendMany({port}, group, texts) {
  const WebSocket = requireInstalled('ws');
  const ws = new WebSocket(`ws://127.0.0.1:${port}`);
  await new Promise((resolve, reject) => {
    let replies = 0;
    ws.on('error', reject);
    ws.on('open', () => texts.forEach((text, id) => ws.send(JSON.stringify(
        {cmd: 'send_to_group', group_id: group, message: text, id}))));
    ws.on('message', (data) => {
      if (JSON.parse(data).event !== 'reply') reject(new Error(String(data)));
      else if (++replies === texts.length) resolve();
    });
  });
  ws.close();
}

const state = (page, name) => page.locator(`#state[data-state="${name}"]`).waitFor();
const bubble = (page, kind, text) => page.locator(`.message${kind} .bubble`).getByText(text, {exact: true});
const own = (page, text) => bubble(page, '.own.delivered', text).waitFor();
const pending = (page, text) => bubble(page, '.own.pending', text).waitFor();
const others = (page, text) => bubble(page, ':not(.own)', text).waitFor();
const bubbles = (page) => page.locator('.bubble').allTextContents();
const button = (page, name) => page.getByRole('button', {name, exact: true});

module.exports = {
  PHONE, WIDE, bubble, bubbles, button, comeBack, isJoined, join, openMember, openPage, openTab, others, own, pending,
  say, sendMany, start, state,
};
