// ONNX Runtime on one input of a model, for the parity suites: node run_onnx.js MODEL INPUT SHAPE OUTPUT
// INPUT and OUTPUT hold float32 values as they lie in memory; SHAPE is N,C,H,W. Prints the shape of the first output.
const fs = require('fs');
const ort = require('onnxruntime-node');

async function main([model, input, shape, output]) {
  const session = await ort.InferenceSession.create(model);
  const raw = fs.readFileSync(input);
  const values = new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.byteLength));
  const feeds = {[session.inputNames[0]]: new ort.Tensor('float32', values, shape.split(',').map(Number))};
  const first = (await session.run(feeds))[session.outputNames[0]];
  fs.writeFileSync(output, Buffer.from(first.data.buffer, first.data.byteOffset, first.data.byteLength));
  console.log(first.dims.join(','));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
