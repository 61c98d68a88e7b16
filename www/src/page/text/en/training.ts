/** How a run goes on, stops and ends. */
export const training = {
  stopping: 'Stopping after this step',
  goesOn: (step: string) => `Continuing with step ${step}`,
  stopped: (taken: string, steps: string) => `Stopped at ${taken} of ${steps} steps`,
  longer: (more: string, many: number) => `Train ${more} more ${many === 1 ? 'step' : 'steps'}`,
};
