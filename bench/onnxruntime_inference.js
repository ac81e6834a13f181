// ONNX Runtime's own rate of plain inference, fully optimised: images per second for every batch. One JSON line.
// usage: node onnxruntime_inference.js MODEL THREADS SHAPE(of one image, e.g. 3,224,224) BATCH...
const ort = require('onnxruntime-node');

const kSeconds = 3;

async function main([model, threads, shape, ...batches]) {
  const image = shape.split(',').map(Number);
  const session = await ort.InferenceSession.create(model, {intraOpNumThreads: Number(threads), graphOptimizationLevel: 'all'});
  const rates = {};
  for (const batch of batches.map(Number)) {
    const values = Float32Array.from({length: batch * image.reduce((a, b) => a * b)}, (_, i) => Math.sin(i));
    const feeds = {[session.inputNames[0]]: new ort.Tensor('float32', values, [batch, ...image])};
    await session.run(feeds);
    const start = process.hrtime.bigint();
    const seconds = () => Number(process.hrtime.bigint() - start) / 1e9;
    let done = 0;
    while (done === 0 || seconds() < kSeconds) {
      await session.run(feeds);
      done += batch;
    }
    rates[`batch ${batch}`] = done / seconds();
  }
  console.log(JSON.stringify({version: require('onnxruntime-node/package.json').version, images_per_second: rates, best: Math.max(...Object.values(rates))}));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
