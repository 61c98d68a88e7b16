export default {
  base: './',
  // The worker imports a second module, so it must be a module itself.
  worker: { format: 'es' },
  // Pre-bundling would separate the package from its worker in the development server.
  optimizeDeps: { exclude: ['pocketllm'] },
  build: { target: 'es2022' },
};
