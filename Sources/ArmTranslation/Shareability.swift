/// The SH field of descriptors and of TCR_ELx (Arm ARM D8.6.2).
enum Shareability: UInt64 {
  case outerShareable = 0b10
  case innerShareable = 0b11
}
