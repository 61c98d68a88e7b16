/** Numbers and times as the language of the page writes them. */
import { language } from './language.ts';

const whole = new Intl.NumberFormat(language);
const short = new Intl.NumberFormat(language, { notation: 'compact', maximumSignificantDigits: 3 });

/** 1234567 as "1,234,567". */
export const count = (value: number): string => whole.format(value);

/** 4416698 as "4.42M". */
export const compact = (value: number): string => short.format(value);

/** "1 row", "2 rows". */
export const plural = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`;

/** A number of bytes in the decimal units that phones show. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  let unit = 0;
  let scaled = value;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${scaled < 9.95 && unit > 0 ? scaled.toFixed(1) : Math.round(scaled)} ${units[unit] ?? ''}`;
}

/** A share as "78%" or, with one digit, "78.5%". */
export const percent = (share: number, digits = 0): string => `${(share * 100).toFixed(digits)}%`;

/** Seconds as "40 s", "3 min" or "1.5 h". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** The beginning of a text, on one line and at most `length` characters long. */
export function excerpt(text: string, length: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= length ? line : `${line.slice(0, length - 1).trimEnd()}…`;
}
