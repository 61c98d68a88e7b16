// GELU: x/2 * (1 + erf(x / sqrt(2))).
// erf(a) = a P(a^2) / Q(a^2) on [-4, 4], where it has reached 1 in f32; the rational approximation of Eigen and XLA, within
// 2e-7 of erf, and relatively so near 0.
fn activate(x: f32) -> f32 {
    let a = clamp(x * 0.7071067812, -4.0, 4.0);
    let s = a * a;
    var p = -2.72614225801306e-10;
    p = p * s + 2.77068142495902e-08;
    p = p * s - 2.10102402082508e-06;
    p = p * s - 5.69250639462346e-05;
    p = p * s - 7.34990630326855e-04;
    p = p * s - 2.95459980854025e-03;
    p = p * s - 1.60960333262415e-02;
    var q = -1.45660718464996e-05;
    q = q * s - 2.13374055278905e-04;
    q = q * s - 1.68282697438203e-03;
    q = q * s - 7.37332916720468e-03;
    q = q * s - 1.42647390514189e-02;
    return 0.5 * x * (1.0 + a * p / q);
}
