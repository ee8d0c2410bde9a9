import { type Locator, type Page } from '@playwright/test';

/** A second of a measurement: its number and what completed in it. */
export type Second = { t: number; completed: number };

/** The page of one run. */
export class RunPage {
  readonly head: Locator;
  readonly live: Locator;
  readonly matrix: Locator;
  readonly report: Locator;
  readonly cancel: Locator;
  readonly log: Locator;
  readonly launch: Locator;

  constructor(readonly page: Page) {
    this.head = page.locator('#run-head');
    this.live = page.getByRole('region', { name: 'Live' });
    this.matrix = page.locator('#run-matrix');
    this.report = page.getByRole('link', { name: 'See the report' });
    this.cancel = page.getByRole('button', { name: 'Cancel the run' });
    this.log = page.locator('#log-text');
    this.launch = page.getByLabel('Launch');
  }

  status(word: string): Locator {
    return this.head.locator('.status', { hasText: word }).first();
  }

  /** What the live panel shows at the moment, read in one go. */
  liveState(): Promise<{ state: string; measurement: string; seconds: Second[] }> {
    return this.live.evaluate((panel) => ({
      state: panel.getAttribute('data-state') ?? '',
      measurement: panel.getAttribute('data-measurement') ?? '',
      seconds: [...panel.querySelectorAll('.live-points li')].map((point) => ({
        t: Number(point.getAttribute('data-t')),
        completed: Number(point.getAttribute('data-completed')),
      })),
    }));
  }

  /** The stored series of a measurement, as the matrix has it. */
  async storedSeries(measurement: string): Promise<Second[]> {
    const row = this.matrix.locator(`[data-measurement="${measurement}"]`);
    const text = (await row.getAttribute('data-series')) ?? '';
    return text
      .split(' ')
      .filter((word) => word !== '')
      .map((word) => {
        const [t, completed] = word.split(':').map(Number);
        return { t, completed };
      });
  }
}
