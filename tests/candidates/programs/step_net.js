// A training step of a sigmoid network under half the squared error, held to Backproof as `exec:node step_net.js`.
// With an argument it has that learning rate built in, whatever it is asked for; what follows that, it answers.
const [builtIn, describes] = process.argv.slice(2);

function step({ id, learning_rate, weights, biases, x, y }) {
  const rate = builtIn ? Number(builtIn) : learning_rate;
  const dW = weights.map((w) => w.map((row) => row.map(() => 0)));
  const db = biases.map((b) => b.map(() => 0));
  x.forEach((sample, n) => {
    const a = [sample];
    weights.forEach((w, l) => {
      const z = w.map((row, o) => row.reduce((sum, weight, i) => sum + weight * a[l][i], biases[l][o]));
      a.push(z.map((value) => 1 / (1 + Math.exp(-value))));
    });
    let g = a[weights.length].map((out, o) => out - y[n][o]);
    for (let l = weights.length - 1; l >= 0; l--) {
      const delta = g.map((s, o) => s * a[l + 1][o] * (1 - a[l + 1][o]));
      delta.forEach((d, o) => {
        db[l][o] += d;
        a[l].forEach((value, i) => (dW[l][o][i] += d * value));
      });
      g = a[l].map((_, i) => delta.reduce((sum, d, o) => sum + weights[l][o][i] * d, 0));
    }
  });
  return {
    id,
    weights: weights.map((w, l) => w.map((row, o) => row.map((weight, i) => weight - rate * dW[l][o][i]))),
    biases: biases.map((b, l) => b.map((bias, o) => bias - rate * db[l][o])),
  };
}

const domain = { activations: "sigmoid", losses: "half_squared_error", reductions: "sum", biases: "always" };
const description = { domain, kind: "step", ...(builtIn && { learning_rate: Number(builtIn) }) };
require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const request = JSON.parse(line);
    console.log(JSON.stringify(request.describe ? (describes ? JSON.parse(describes) : description) : step(request)));
  });
