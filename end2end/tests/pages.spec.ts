import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { AxeBuilder } from '@axe-core/playwright';

import { expect, test } from '../support/fixtures';
import { importRun } from '../support/imported';

/** Every page: its route as the app declares it, and an address of it, where `{run}` and `{share}` stand for what is made. */
const pages: Record<string, string> = {
  '/': '/',
  '/plans/new': '/plans/new',
  '/plans/start': '/plans/start',
  '/compare': '/compare?add={run}',
  '/cookbook': '/cookbook',
  '/hosts': '/hosts',
  '/import': '/import',
  '/runs/:id': '/runs/{run}',
  '/runs/:id/report': '/runs/{run}/report',
  '/r/:token': '{share}',
  '/account': '/account',
  '/people': '/people',
  '/audit': '/audit',
  '/api': '/api',
  '/login': '/login',
  '/invite/:token': '/invite/none',
};

const widths = [360, 1280, 2560];

test('every route of the app is looked at', () => {
  const shell = readFileSync(join(__dirname, '../../app/src/shell.rs'), 'utf8');
  const routes = [...shell.matchAll(/path!\("([^"]+)"\)/g)].map((found) => found[1]!);
  expect(routes.length).toBeGreaterThan(8);
  expect(Object.keys(pages).sort()).toEqual(routes.sort());
});

test('no page has a serious barrier, in both themes and three widths', async ({ page, problems }, testInfo) => {
  test.setTimeout(300_000);
  const run = await importRun(page, 'Looked at');
  await page.goto(`/runs/${run}/report`);
  await page.getByRole('button', { name: 'Create a link' }).click();
  const share = (await page.getByRole('link', { name: 'Open it' }).getAttribute('href'))!;

  for (const [route, address] of Object.entries(pages)) {
    for (const theme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: theme });
      await page.goto(address.replace('{run}', run).replace('{share}', share));
      for (const width of widths) {
        await page.setViewportSize({ width, height: 900 });
        const name = `${route === '/' ? 'runs' : route.replaceAll(/[/:]+/g, '-').slice(1)}-${theme}-${width}.png`;
        await page.screenshot({ path: testInfo.outputPath('pages', name), fullPage: true });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(wide, `${route} at ${width} px runs over its right edge`).toBeLessThanOrEqual(0);
      }
      await page.setViewportSize({ width: 1280, height: 900 });
      const { violations } = await new AxeBuilder({ page }).analyze();
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join('; ')}`);
      expect(told, `${route}, ${theme}`).toEqual([]);
    }
  }
  // Chromium writes a line for a document that is not 200: an invitation that nobody has.
  problems.splice(0, problems.length, ...problems.filter((problem) => !problem.includes('404')));
});
