//! The probabilities of labels for texts.

use super::encoder::{ExampleEncoder, Examples};
use super::evaluation::fitting;
use super::session::Session;
use crate::error::{Result, bail};
use crate::fit::probabilities;
use crate::text::batch::Batch;
use crate::text::rows::{Classified, Dataset, Rows};

impl Session {
    /// The examples of texts or pairs of texts that are to be classified.
    ///
    /// # Errors
    /// `invalid-argument` for an encoder without labels, or for a second text that its template does not read; `data-invalid` for a
    /// text that it cannot encode, naming the row, counted from 1.
    pub fn texts(
        &self,
        encoder: &ExampleEncoder,
        texts: &[(&str, Option<&str>)],
        max_length: u32,
    ) -> Result<Examples> {
        let Some(label) = encoder.label_words().first() else {
            bail!(
                InvalidArgument,
                "to classify, give a template and labels, or the trajectory of a readout, or an adapter or a model that was saved with a readout"
            );
        };
        if let ExampleEncoder::Classification { template, .. } = encoder
            && !template.has_text_b()
            && texts.iter().any(|(_, text_b)| text_b.is_some())
        {
            bail!(
                InvalidArgument,
                "expected a template with {{text_b}} for a second text, found one without it, which would not read that text"
            );
        }
        let rows = texts.iter().zip(1..).map(|((text, text_b), row)| {
            let text_b = text_b.map(str::to_owned);
            Classified { text: (*text).to_owned(), text_b, label: label.clone(), row }
        });
        let rows = Rows::Classified(rows.collect());
        encoder.encode(self, &Dataset { name: "texts".to_owned(), rows, task: None }, max_length)
    }

    /// The probability of each of the encoder's labels, for each of the texts.
    ///
    /// # Errors
    /// Errors from the backend.
    pub async fn classify(&mut self, encoder: &ExampleEncoder, examples: &Examples) -> Result<Vec<Vec<f64>>> {
        let labels = encoder.label_words().len();
        let mut found = Vec::new();
        let mut rest = &examples.examples[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest.iter().map(|example| example.ids.len())));
            rest = later;
            let batch = Batch::pack(&now.iter().collect::<Vec<_>>());
            let logits = self.evaluate_batch(encoder, &batch).await?.label_logits;
            let logits: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
            found.extend(logits.chunks_exact(labels).map(probabilities));
        }
        Ok(found)
    }
}
