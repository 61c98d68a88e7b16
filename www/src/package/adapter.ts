/** Finds the GPU that the engine computes on. The engine makes the same requests (`src/gpu/device.rs`). */

/** What the package uses of WebGPU's `GPUAdapter`. */
export interface Adapter {
  readonly info?: { readonly vendor: string; readonly architecture: string; readonly device: string; readonly description: string; readonly isFallbackAdapter?: boolean };
  readonly features: ReadonlySet<string>;
  readonly limits: { readonly maxStorageBuffersPerShaderStage: number; readonly maxComputeInvocationsPerWorkgroup: number; readonly maxComputeWorkgroupStorageSize: number };
}

interface Gpu {
  requestAdapter(options: { powerPreference: 'high-performance'; featureLevel?: 'compatibility' }): Promise<Adapter | null>;
}

/** What the engine's kernels need of a GPU. WebGPU's core features guarantee it, and its compatibility mode does not. */
export const NEEDED = { maxStorageBuffersPerShaderStage: 6, maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupStorageSize: 16_384 } as const;

/** Whether the browser offers WebGPU here. */
export const hasApi = (): boolean => gpu() !== undefined;

/**
 * Finds the GPU that the engine would compute on, without opening it: one with WebGPU's core features, or else one of the compatibility mode,
 * which also has GPUs with OpenGL ES 3.1 alone, such as those of older phones. Returns `null` if there is none. Then the processor is used.
 */
export async function findAdapter(): Promise<Adapter | null> {
  const request = async (options: { featureLevel?: 'compatibility' }): Promise<Adapter | null> =>
    (await gpu()?.requestAdapter({ powerPreference: 'high-performance', ...options }).catch(() => null)) ?? null;
  const found = (await request({})) ?? (await request({ featureLevel: 'compatibility' }));
  const suffices = Object.entries(NEEDED).every(([name, least]) => found !== null && found.limits[name as keyof typeof NEEDED] >= least);
  return suffices ? found : null;
}

const gpu = (): Gpu | undefined => (globalThis.navigator as { gpu?: Gpu } | undefined)?.gpu;
