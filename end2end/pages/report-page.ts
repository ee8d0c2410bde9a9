import { type Locator, type Page } from '@playwright/test';

/** A report, on its own page or behind a link. */
export class ReportPage {
  readonly winners: Locator;
  readonly charts: Locator;
  readonly comparison: Locator;
  readonly best: Locator;
  readonly notSelected: Locator;
  readonly caveats: Locator;
  readonly createLink: Locator;
  readonly newLink: Locator;
  readonly shares: Locator;

  constructor(readonly page: Page) {
    this.winners = page.locator('.winner-card');
    this.charts = page.locator('figure.chart');
    this.comparison = page.locator('#comparison table');
    this.best = page.locator('#best table');
    this.notSelected = page.locator('#not-selected');
    this.caveats = page.locator('#caveats li');
    this.createLink = page.getByRole('button', { name: 'Create a link' });
    this.newLink = page.locator('#new-link');
    this.shares = page.locator('#share tbody tr');
  }
}
