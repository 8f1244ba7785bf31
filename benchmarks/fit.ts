/** How something grows: not by single points, which each have a reason of their own, but by the exponent over all. */

/** The unit of an exponent. */
export const POWER = 'power';

/**
 * The exponent a of y = b * x^a that fits best, by least squares of the logarithms: 1 where y doubles with x, 0 where it stays.
 * Throws where there are fewer than two different x, or one is not above 0.
 */
export function exponentOf(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (of: (log: readonly [number, number]) => number) =>
    logs.reduce((sum, log) => sum + of(log), 0) / logs.length;
  const [meanX, meanY] = [mean(([x]) => x), mean(([, y]) => y)];
  const covariance = mean(([x, y]) => (x - meanX) * (y - meanY));
  const variance = mean(([x]) => (x - meanX) ** 2);
  if (!(variance > 0) || !Number.isFinite(covariance)) throw new Error('No exponent fits these points.');
  return covariance / variance;
}
