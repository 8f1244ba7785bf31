/** Takes turns: `node turns.child.js ROUNDS`. Tells of each when it began and ended, by a clock that all processes share. */
import { inTurn } from '../../benchmarks/turns.js';

const nowNs = () => Number(process.hrtime.bigint());

for (let round = 0; round < Number(process.argv[2]); round++) {
  const turn = await inTurn(async () => {
    const began = nowNs();
    await new Promise((resolve) => setTimeout(resolve, 2));
    return { round, began, ended: nowNs() };
  });
  process.send?.(turn);
}
process.disconnect();
