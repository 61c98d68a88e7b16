use std::collections::BTreeMap;
use std::rc::Rc;

use pollster::block_on;

use super::*;
use crate::dtype::DType;
use crate::format::source::MemorySource;

#[test]
fn strided_elements_are_read_in_any_parts() {
    // The element with index i has the value i.
    let values: Vec<f32> = (0..700_000).map(|i| i as f32).collect();
    let source = Rc::new(MemorySource::new("w", bytemuck::cast_slice::<f32, u8>(&values).to_vec()));
    let checkpoint = Checkpoint::new(BTreeMap::new(), BTreeMap::new(), vec![source]);
    for (shape, strides) in [
        (&[700, 1000][..], &[1, 700][..]),
        (&[1000, 700], &[1, 1000]),
        (&[30, 20], &[100, 3]),
        (&[30, 20], &[3, 100]),
        (&[9], &[7]),
        (&[1, 5, 1], &[1, 11, 1]),
        (&[6, 2, 4], &[1, 24, 6]),
    ] {
        let info = TensorInfo::new("w".to_owned(), DType::F32, shape.to_vec(), 0, 0).unwrap();
        let strided = |element: u64| {
            let mut rest = element;
            let place = shape.iter().zip(strides).rev().map(|(n, stride)| {
                let index = rest % n;
                rest /= n;
                index * stride
            });
            place.sum::<u64>() as f32
        };
        let order = Order::of_strides(shape, strides);
        let Some(order) = order else {
            assert_eq!(shape.len(), 3, "{shape:?} {strides:?}");
            continue;
        };
        let info = info.with_order(order);
        let all = info.elements();
        for (first, count) in [(0, all), (1, all - 1), (all / 3, all / 2), (all / 2, 1), (all, 0)] {
            let found = block_on(checkpoint.read_f32(&info, first, count as usize)).unwrap();
            let right: Vec<f32> = (first..first + count).map(strided).collect();
            assert!(found == right, "{shape:?} {strides:?} {first} {count}");
        }
    }
    assert_eq!(Order::of_strides(&[2, 3], &[3, 1]), Some(Order::AsStored));
    assert_eq!(Order::of_strides(&[2, 1, 3], &[3, 99, 1]), Some(Order::AsStored));
    assert_eq!(Order::of_strides(&[2, 3], &[0, 1]), None);
    assert_eq!(Order::of_strides(&[0, 3], &[0, 0]), Some(Order::AsStored));
}
