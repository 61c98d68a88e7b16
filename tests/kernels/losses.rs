//! Cross-entropy, its mean, and sampling.

use std::rc::Rc;

use pocketllm::gpu::Backend;
use pocketllm::kernel::{NO_BIAS, cross_entropy_block, cross_entropy_labels, mean_loss, sample};

use crate::close;
use crate::common::{both, choices, noise};

/// Cross-entropy over rows of logits, computed in f64.
fn exact_losses(logits: &[f32], width: u32, target: impl Fn(usize) -> u32) -> Vec<u32> {
    let rows = logits.chunks_exact(width as usize).enumerate();
    let loss = |(r, row): (usize, &[f32])| {
        let sum: f64 = row.iter().map(|v| f64::from(*v).exp()).sum();
        ((sum.ln() - f64::from(row[target(r) as usize])) as f32).to_bits()
    };
    rows.map(loss).collect()
}

kernel_test! {
    async fn cross_entropy_over_labels(backend: Rc<dyn Backend>) {
        for (branches, count, labels) in [(1, 1, 2), (2, 65, 3), (2, 3, 30)] {
            let (vocabulary, vector_stride) = (40, 47);
            let logits: Vec<f32> = noise(1, branches * count * labels).iter().map(|v| 8.0 * v).collect();
            let vectors = noise(2, branches * vector_stride);
            let (ids, targets) = (choices(3, labels, vocabulary), choices(4, count, labels));
            for bias in [5, NO_BIAS] {
                let outputs = both(&backend, |lab, recording| {
                    let logits = lab.floats("logits", &logits);
                    let loss = lab.unwritten("loss", branches * count);
                    let prediction = lab.unwritten("prediction", branches * count);
                    let tensors = cross_entropy_labels::Tensors {
                        logits: &logits,
                        vectors: &lab.floats("vectors", &vectors),
                        label_ids: &lab.words("label_ids", &ids),
                        targets: &lab.words("targets", &targets),
                        loss: &loss,
                        prediction: &prediction,
                    };
                    let params = cross_entropy_labels::Params {
                        rows: branches * count, rows_per_branch: count, labels, bias, vector_stride,
                    };
                    cross_entropy_labels::record(recording, tensors, params);
                    vec![loss, prediction, logits]
                }).await;
                let shape = format!("labels {branches} x {count} x {labels}");
                close("cross_entropy", &shape, &outputs[0]);
                close("cross_entropy", &format!("{shape}, logits"), &outputs[2]);
                assert_eq!(outputs[1].0, outputs[1].1, "prediction, {shape}");
                let biased: Vec<f32> = logits.iter().enumerate().map(|(i, logit)| {
                    let (branch, l) = (i as u32 / (count * labels), i % labels as usize);
                    logit + if bias == NO_BIAS { 0.0 } else { vectors[(branch * vector_stride + bias + ids[l]) as usize] }
                }).collect();
                let exact = exact_losses(&biased, labels, |r| targets[r % count as usize]);
                close("cross_entropy", &format!("{shape}, exact"), &(outputs[0].0[..exact.len()].to_vec(), exact));
            }
        }
    }
}

kernel_test! {
    async fn cross_entropy_over_blocks(backend: Rc<dyn Backend>) {
        for (branches, count, vocabulary, block) in [(1, 1, 3, 3), (2, 5, 257, 100), (2, 3, 65, 64)] {
            let vector_stride = vocabulary + 3;
            let mut logits: Vec<f32> = noise(1, branches * count * vocabulary).iter().map(|v| 8.0 * v).collect();
            // Two equal largest logits in the first row: the first one wins, within a block and across blocks.
            logits[1] = 9.0;
            logits[vocabulary as usize - 1] = 9.0;
            let vectors = noise(2, branches * vector_stride);
            let targets = choices(4, count, vocabulary);
            for bias in [NO_BIAS, 3] {
                let outputs = both(&backend, |lab, recording| {
                    let rows = branches * count;
                    let loss = lab.unwritten("loss", rows);
                    let prediction = lab.unwritten("prediction", rows);
                    let state = lab.unwritten("state", 4 * rows);
                    let vectors = lab.floats("vectors", &vectors);
                    let targets = lab.words("targets", &targets);
                    for first in (0..vocabulary).step_by(block as usize) {
                        let width = block.min(vocabulary - first);
                        let columns = first as usize..(first + width) as usize;
                        let block: Vec<f32> =
                            logits.chunks_exact(vocabulary as usize).flat_map(|row| row[columns.clone()].to_vec()).collect();
                        let tensors = cross_entropy_block::Tensors {
                            logits: &lab.floats("block", &block),
                            vectors: &vectors,
                            targets: &targets,
                            state: &state,
                            loss: &loss,
                            prediction: &prediction,
                        };
                        let params = cross_entropy_block::Params {
                            rows, rows_per_branch: count, width, first, bias, vector_stride, start: u32::from(first == 0),
                        };
                        cross_entropy_block::record(recording, tensors, params);
                    }
                    vec![loss, prediction]
                }).await;
                let shape = format!("blocks {branches} x {count} x {vocabulary} by {block}");
                close("cross_entropy", &shape, &outputs[0]);
                assert_eq!(outputs[1].0, outputs[1].1, "prediction, {shape}");
                if bias == NO_BIAS {
                    assert_eq!(outputs[1].0[0], 1, "of equal logits the first, {shape}");
                    let exact = exact_losses(&logits, vocabulary, |r| targets[r % count as usize]);
                    close("cross_entropy", &format!("{shape}, exact"), &(outputs[0].0[..exact.len()].to_vec(), exact));
                }
            }
        }
    }
}

kernel_test! {
    async fn mean_of_losses(backend: Rc<dyn Backend>) {
        for (branches, count) in [(1, 1), (2, 65), (5, 1000)] {
            let outputs = both(&backend, |lab, recording| {
                let loss = lab.floats("loss", &noise(1, branches * count));
                let mean = lab.unwritten("mean", branches);
                mean_loss::record(recording, &loss, &mean, branches, count);
                vec![mean]
            }).await;
            close("mean_loss", &format!("{branches} x {count}"), &outputs[0]);
        }
    }
}

kernel_test! {
    async fn sampling(backend: Rc<dyn Backend>) {
        for (vocabulary, block, temperature, bias) in
            [(3, 3, 0.0, NO_BIAS), (1000, 300, 0.0, 3), (1000, 300, 0.7, 3), (1000, 1000, 0.7, 3)]
        {
            let outputs = both(&backend, |lab, recording| {
                let mut logits = noise(1, vocabulary);
                (logits[1], logits[2]) = (5.0, 5.0);
                let vectors = lab.floats("vectors", &noise(2, vocabulary + 3));
                let chosen = lab.unwritten("chosen", 2);
                for first in (0..vocabulary).step_by(block as usize) {
                    let width = block.min(vocabulary - first);
                    let block = lab.floats("block", &logits[first as usize..][..width as usize]);
                    let params = sample::Params {
                        width, first, bias, vector_stride: vocabulary + 3, start: u32::from(first == 0),
                        temperature, key_low: 17, key_high: 4,
                    };
                    sample::record(recording, &block, &vectors, &chosen, params);
                }
                vec![chosen]
            }).await;
            let (device, host) = &outputs[0];
            let shape = format!("{vocabulary} by {block} at temperature {temperature}");
            assert_eq!(device[0], host[0], "token of {shape}");
            close("sample", &shape, &(device[1..2].to_vec(), host[1..2].to_vec()));
            if bias == NO_BIAS {
                assert_eq!(device[0], 1, "of equal logits the first");
            }
        }
    }
}
