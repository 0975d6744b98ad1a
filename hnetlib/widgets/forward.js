// A hypernetwork and a multilayer perceptron, forwards, in double precision: what HyperNetwork.forward and
// TargetNetwork.__call__ do, for one task embedding and one input.

const ACTIVATIONS = {
  ELU: (z) => (z > 0 ? z : Math.expm1(z)),
  ReLU: (z) => Math.max(z, 0),
  Sigmoid: (z) => 1 / (1 + Math.exp(-z)),
  Tanh: Math.tanh,
};

/** The bytes of a trait as numbers; copied, for they may stand at any address. */
function numbers(view, Kind = Float32Array) {
  return new Kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

/** A fully connected network: layer after layer its matrix, row by row, then its bias, from place `at` of `weights`. */
function dense(weights, at, sizes, x, activation) {
  for (let layer = 1; layer < sizes.length; layer++) {
    const [inputs, outputs] = [sizes[layer - 1], sizes[layer]];
    const bias = at + inputs * outputs;
    const y = new Float64Array(outputs);
    for (let o = 0; o < outputs; o++) {
      let sum = weights[bias + o];
      for (let i = 0, w = at + o * inputs; i < inputs; i++, w++) sum += weights[w] * x[i];
      y[o] = layer < sizes.length - 1 ? activation(sum) : sum;
    }
    [x, at] = [y, bias + outputs];
  }
  return x;
}

/** f_h(e): all weights of the target, a chunk at a time. Chunk embeddings are the first numbers of `theta`. */
function generate({ theta, num_weights, num_chunks, chunk_dim, hidden, chunk_size, activation }, e) {
  const weights = new Float64Array(num_chunks * chunk_size);
  const sizes = [e.length + chunk_dim, ...hidden, chunk_size];
  for (let i = 0; i < num_chunks; i++) {
    const input = [...e, ...theta.subarray(i * chunk_dim, (i + 1) * chunk_dim)];
    weights.set(dense(theta, num_chunks * chunk_dim, sizes, input, ACTIVATIONS[activation]), i * chunk_size);
  }
  return weights.subarray(0, num_weights);
}
