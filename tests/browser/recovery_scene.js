'use strict';

// The scene of docs/pictures/recovery.png, for tools/pictures: on the sample page, a connection breaks and comes back.
// Writes frameNN.png and, as apngasm reads it, frameNN.txt with the time of the frame: delay=MILLISECONDS/1000.

const fs = require('node:fs');
const path = require('node:path');
const {argument, until, withCleanUp} = require('./harness.js');
const {button, openMember, others, own, say, start, state} = require('./sample.js');

const SIZE = {width: 1040, height: 690};
const SCALE = 0.85;  // keeps the file small

class Film {
  constructor(page, folder) {
    this._page = page;
    this._folder = folder;
    this._number = 0;
  }

  async take(ms) {
    const name = path.join(this._folder, 'frame' + String(++this._number).padStart(2, '0'));
    await this._page.screenshot({path: name + '.png', animations: 'disabled'});
    fs.writeFileSync(name + '.txt', `delay=${ms}/1000\n`);
  }

  // Shows the pointer on the button, then what the click did.
  async click(name) {
    const {x, y, width, height} = await button(this._page, name).boundingBox();
    await this._page.evaluate(([left, top]) => {
      const pointer = document.createElement('div');
      pointer.id = 'pointer';
      pointer.setAttribute('style', `position: fixed; z-index: 9; left: ${left - 14}px; top: ${top - 14}px; width: 28px;
          height: 28px; border: 3px solid #e11d48; border-radius: 50%; background: rgb(225 29 72 / 25%)`);
      document.body.append(pointer);
    }, [x + width / 2, y + height / 2]);
    await this.take(900);
    await this._page.evaluate(() => document.getElementById('pointer').remove());
    await button(this._page, name).click();
  }
}

const cells = (page, fate) => page.locator(`.cell.${fate}`).count();
const reached = (page, fate, count) => until(`${count} cells: ${fate}`, async () => await cells(page, fate) >= count);

withCleanUp(async () => {
  const {browser, url} = await start();
  const group = 'launch';
  const amina = await openMember(browser, url, {name: 'Amina', group, viewport: SIZE, deviceScaleFactor: SCALE});
  const bruno = await openMember(browser, url, {name: 'Bruno', group});
  await openMember(browser, url, {name: 'Chen', group});
  const film = new Film(amina, argument('frames'));

  await say(bruno, 'Ten minutes to launch. Is everybody here?');
  await others(amina, 'Ten minutes to launch. Is everybody here?');
  await say(amina, 'Yes, on the train. My line may break.');
  await own(amina, 'Yes, on the train. My line may break.');
  await film.click('Start the counter');
  for (const count of [1, 2, 3]) {
    await reached(amina, 'live', count);
    await film.take(500);
  }

  await film.click('Go offline for 10 s');
  await state(amina, 'offline');
  for (let count = 1; await amina.locator('#state').getAttribute('data-state') === 'offline'; ++count) {
    await film.take(450);
    if (count === 3) await say(amina, 'Written while I was offline');
    await until('another number is missing, or the page is back', async () =>
      await cells(amina, 'waiting') > count || await amina.locator('#state').getAttribute('data-state') !== 'offline');
  }
  await own(amina, 'Written while I was offline');
  await until('all is here', async () => await cells(amina, 'waiting') === 0);
  await film.take(3000);
  const live = await cells(amina, 'live');
  for (const count of [1, 2]) {
    await reached(amina, 'live', live + count);
    await film.take(count === 2 ? 2500 : 600);
  }
})();
