// Continue a prompt greedily in llama.cpp, with a LoRA adapter if one is given, and print the token ids:
//
//     npm install --prefix /tmp/llama node-llama-cpp
//     NODE_PATH=/tmp/llama/node_modules node tests/reference/llama_cpp.mjs MODEL.gguf "The capital of France is" 24 [adapter.gguf]
//
// The package brings llama.cpp as a compiled library. `pocketllm generate --ignore-eos --json` prints ids in the same form.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const entry = createRequire(`${process.env.NODE_PATH ?? ''}/`).resolve('node-llama-cpp')
const { getLlama } = await import(pathToFileURL(entry).href)
const [modelPath, prompt, count, adapter] = process.argv.slice(2)
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' })
const model = await llama.loadModel({ modelPath })
const lora = adapter === undefined ? {} : { lora: { adapters: [{ filePath: adapter, scale: 1 }] } }
const context = await model.createContext({ contextSize: 256, threads: 1, ...lora })
const ids = []
for await (const token of context.getSequence().evaluate(model.tokenize(prompt, false), { temperature: 0, yieldEogToken: true })) {
  ids.push(Number(token))
  if (ids.length >= Number(count)) break
}
console.log(JSON.stringify({ ids, text: model.detokenize(ids) }))
process.exit(0)
