/** What the browser says about its GPU, and how fast the GPU copies memory. */
/// <reference types="@webgpu/types" />
import type { Device } from './result.ts';

async function adapter(): Promise<GPUAdapter> {
  if (navigator.gpu === undefined) throw new Error('this browser offers no WebGPU here');
  const options = { powerPreference: 'high-performance' } as const;
  const found = (await navigator.gpu.requestAdapter(options)) ?? (await navigator.gpu.requestAdapter({ ...options, featureLevel: 'compatibility' }));
  if (found === null) throw new Error('this browser found no GPU that it may use');
  return found;
}

export async function describe(): Promise<Device> {
  const { info, features, limits } = await adapter();
  const names: string[] = [];
  // The limits are properties of the prototype.
  for (const name in limits) if (typeof limits[name as keyof GPUSupportedLimits] === 'number') names.push(name);
  return {
    adapter: [...new Set([info.vendor, info.architecture, info.device, info.description])].filter((part) => part !== '').join(' '),
    software: info.isFallbackAdapter || /swiftshader|llvmpipe|software/i.test(`${info.architecture} ${info.device} ${info.description}`),
    features: [...features].sort(),
    webgpu_limits: Object.fromEntries(names.map((name) => [name, limits[name as keyof GPUSupportedLimits] as number])),
  };
}

const BYTES = 64 * 2 ** 20;
const ROUNDS = 5;
/** The time to measure for, in milliseconds. It is long enough for a browser's coarse clock. */
const LOOP_MS = 40;

/** Copies one buffer to another. The rate is in 10^9 bytes per second; each byte counts once as read and once as written. */
export async function copyRate(): Promise<number> {
  const device = await (await adapter()).requestDevice();
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const [from, to] = [device.createBuffer({ size: BYTES, usage }), device.createBuffer({ size: BYTES, usage })];
  const run = async (copies: number): Promise<number> => {
    const encoder = device.createCommandEncoder();
    for (let copy = 0; copy < copies; copy++) encoder.copyBufferToBuffer(from, 0, to, 0, BYTES);
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  try {
    await run(1);
    const copies = Math.min(64, Math.ceil(LOOP_MS / Math.max(0.1, await run(1))));
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS; round++) best = Math.min(best, (await run(copies)) / copies);
    return (2 * BYTES) / best / 1e6;
  } finally {
    device.destroy();
  }
}
