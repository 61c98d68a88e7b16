/** What went wrong and what a person can do about it. The engine's own message stands between both, in English, or in the details of an error of the GPU. */
import type { ErrorCode } from 'pocketllm';

interface Problem {
  title: string;
  advice: string;
}

const codes: Record<ErrorCode, Problem> = {
  'webgpu-unavailable': {
    title: 'This browser cannot use the graphics chip (GPU)',
    advice: 'Use a current Chrome or Edge (on Android 12 or later, or on a computer), Safari 26, or Firefox 141 on Windows. On Linux, open chrome://flags, turn on “Unsafe WebGPU Support”, and start Chrome again.',
  },
  'device-lost': {
    title: 'The graphics chip (GPU) has stopped responding',
    advice: 'This often happens when memory runs out. Close other tabs and apps, then reload this page. The training can continue from its last step.',
  },
  'out-of-memory': {
    title: 'There is not enough memory',
    advice: 'Close other tabs and apps. Or use fewer examples per step or shorter texts (under Advanced), or a smaller model.',
  },
  'limit-exceeded': {
    title: 'This is too much for this device’s graphics chip (GPU)',
    advice: 'Use fewer examples per step or shorter texts (under Advanced), or a smaller model.',
  },
  'model-unsupported': {
    title: 'This kind of model cannot be used here',
    advice: 'Models of these families work, among others: BERT, RoBERTa, GPT-2, OPT, Llama, Mistral, Qwen, Gemma and Phi. Use a version that is not quantized, as safetensors or pytorch_model.bin, or a GGUF file.',
  },
  'file-corrupt': {
    title: 'A file is missing or damaged',
    advice: 'Download the files again. Then choose config.json, tokenizer.json and the .safetensors files together, or one .gguf file.',
  },
  'data-invalid': {
    title: 'These examples cannot be used as they are',
    advice: 'Correct what is named above, then try again.',
  },
  'trajectory-mismatch': {
    title: 'This training record does not match',
    advice: 'Load the model that the record was made with. To continue the training, also use the same examples and settings.',
  },
  'non-finite-loss': {
    title: 'The training became unstable',
    advice: 'Start again with the value that is named above (under Advanced).',
  },
  'storage-full': {
    title: 'There is not enough storage space to save it',
    advice: 'Free some space on this device, or delete a model under “Models on this device”. Then try again. What was saved before is not lost.',
  },
  network: {
    title: 'A file could not be downloaded',
    advice: 'Check that you are online and that the name is right, then try again. The part that has arrived is saved.',
  },
  aborted: { title: 'Stopped', advice: '' },
  'invalid-argument': {
    title: 'A setting is not right',
    advice: 'Change the setting named above, then try again.',
  },
};

export const problem = {
  ...codes,
  details: 'Technical details',
  fault: {
    title: 'Something went wrong in this page',
    advice: 'Reload the page and try again. If it happens again, please report the text above.',
  },
  link: {
    title: 'This link cannot be opened',
    advice: 'Some programs cut off long links. Copy all of it, or ask the person who sent it for the training record as a file.',
  },
  noRecord: {
    title: 'This file cannot be opened here',
    advice: 'Choose the training record that was downloaded in step 4, or an adapter as a zip file. A model is chosen under “Model”, and examples in step 2.',
  },
  readoutArchive: {
    title: 'This archive cannot be opened as a model',
    advice: 'Without the training record, learn from the same examples again, which takes seconds.',
  },
  noTokenizer: {
    title: 'A file is missing from this model',
    advice: 'Choose another model, ideally the one that this model was made from. Its page usually names it. Or download the files of this model and the tokenizer.json of the other, and choose all of them together under “From my files”.',
  },
  locked: {
    title: 'This model is not open to everyone',
    advice: 'Sign in to Hugging Face, accept the terms on the model’s page, and enter an access token of your account above. Also check the model’s name.',
  },
  insecure: 'Browsers allow WebGPU only for pages that are loaded over https, or from this device itself (localhost).',
  processor: {
    title: 'This page will use the processor',
    meaning: 'This browser does not let it use a graphics chip (GPU). Learning quickly with Small BERT still takes seconds. Training deeper, and larger models, take much longer.',
    faster: 'How to make it faster',
  },
};
