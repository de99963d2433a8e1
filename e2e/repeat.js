// Plays the two main flows N times, with new browsers each time: `npm run repeat -- 20`.
import { partytracks, recipe } from './lib/flows.js';
import { Stage } from './lib/stage.js';

const rounds = Number(process.argv[2] ?? 20);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error('usage: npm run repeat -- N');
  process.exit(2);
}

const flows = { recipe, partytracks };
const passed = Object.fromEntries(Object.keys(flows).map((name) => [name, 0]));
const stage = await Stage.start();
for (let round = 1; round <= rounds; round++) {
  for (const [name, flow] of Object.entries(flows)) {
    await stage.play(`${name} ${round}`, flow).then(
      () => passed[name]++,
      (error) => console.error(`${name}, round ${round}: ${error.message}`),
    );
  }
}
await stage.stop();

for (const [name, count] of Object.entries(passed)) console.log(`${name} ${count}/${rounds}`);
process.exit(Object.values(passed).every((count) => count === rounds) ? 0 : 1);
