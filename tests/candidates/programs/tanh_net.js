// A tanh network under the mean squared error, held to Backproof as `exec:node tanh_net.js`, with weights (in, out).
const readline = require("readline");

function answer({ id, activations, weights, biases, x, y, batch_size: batch, widths }) {
  if (activations.includes("relu")) return { id, unsupported: "relu" };
  const depth = weights.length;
  const dW = weights.map((w) => w.map((row) => row.map(() => 0)));
  const db = biases.map((b) => b && b.map(() => 0));
  const divisor = batch * widths[depth];
  let loss = 0;
  const inputs = [];
  for (let n = 0; n < batch; n++) {
    const a = [x[n]];
    weights.forEach((w, l) => {
      const z = w[0].map((_, o) => w.reduce((sum, row, i) => sum + row[o] * a[l][i], biases[l] ? biases[l][o] : 0));
      a.push(z.map(Math.tanh));
    });
    let g = a[depth].map((out, o) => (2 * (out - y[n][o])) / divisor);
    loss += a[depth].reduce((sum, out, o) => sum + (out - y[n][o]) ** 2, 0) / divisor;
    for (let l = depth - 1; l >= 0; l--) {
      const delta = g.map((s, o) => s * (1 - a[l + 1][o] ** 2));
      delta.forEach((d, o) => {
        if (db[l]) db[l][o] += d;
        a[l].forEach((value, i) => (dW[l][i][o] += value * d));
      });
      g = weights[l].map((row) => row.reduce((sum, value, o) => sum + value * delta[o], 0));
    }
    inputs.push(g);
  }
  return { id, loss, weights: dW, biases: db, inputs };
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const request = JSON.parse(line);
  const domain = { activations: "tanh", losses: "mse", reductions: "mean" };
  console.log(JSON.stringify(request.describe ? { domain, weights: "in_out" } : answer(request)));
});
