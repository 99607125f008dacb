import BootDigests
import Testing

/// The digests that image files carry besides SHA-256, against Python's hashlib and zlib, for
/// messages whose length is on either side of every boundary of block and padding.
@Suite struct OtherDigestTests {
  /// Byte i of a message is 7 i. Digests are folded: their 64-bit words (the rest of SHA-1's padded
  /// with zeros), XORed.
  struct Row: Sendable {
    let length: Int
    let crc32: UInt32
    let md5, sha1, sha384, sha512: UInt64
  }

  private static let rows: [Row] = [
    Row(
      length: 0, crc32: 0x0000_0000, md5: 0x3d9d_8541_63f8_f07a,
      sha1: 0x47b4_1b08_cb0b_539d, sha384: 0xebcc_2e39_38a2_4f6b,
      sha512: 0x15d1_4e68_1424_7a88),
    Row(
      length: 1, crc32: 0xd202_ef8d, md5: 0x5e4e_b13d_b1d8_3ff8,
      sha1: 0xe4be_6505_f2c1_bac9, sha384: 0xc20e_ab13_9729_75dc,
      sha512: 0x777c_0bb4_ed70_dbdd),
    Row(
      length: 3, crc32: 0x57b8_62d2, md5: 0xee7c_32d4_8777_bb5c,
      sha1: 0x7bf4_e4dc_d04b_86b7, sha384: 0x9778_8679_1786_7abc,
      sha512: 0x925b_fb52_e461_9287),
    Row(
      length: 55, crc32: 0xd551_cbc6, md5: 0x12fc_fda8_93cb_1a3b,
      sha1: 0x4e59_cf57_9a55_3411, sha384: 0xe3a5_443e_4d8c_09ab,
      sha512: 0x88f7_461e_4119_2ee0),
    Row(
      length: 56, crc32: 0x3a6f_6a75, md5: 0x7165_fc6a_f1e0_7736,
      sha1: 0x8aaa_a420_e382_446d, sha384: 0xa4a1_38c3_26f1_3b5f,
      sha512: 0xc419_0990_261a_54b3),
    Row(
      length: 63, crc32: 0xfd39_5ff8, md5: 0x8a79_43dd_b282_7204,
      sha1: 0x3553_55aa_412b_e7e7, sha384: 0x3d97_290d_8e67_06a4,
      sha512: 0xccf9_0076_1fba_16e2),
    Row(
      length: 64, crc32: 0xd324_a7d4, md5: 0xf9e3_24cb_aa98_edfb,
      sha1: 0x1e02_dfca_09e9_b448, sha384: 0x45e2_e4c4_cc27_0592,
      sha512: 0xcbc7_e84a_bad0_b197),
    Row(
      length: 65, crc32: 0xc80b_1f57, md5: 0x4509_2070_e8a2_cd21,
      sha1: 0x1cb9_374b_9c23_62c7, sha384: 0x193f_f9be_25fd_b512,
      sha512: 0x2b6d_ae51_3eaa_9c51),
    Row(
      length: 111, crc32: 0x2593_d19d, md5: 0xde52_b425_b782_1bce,
      sha1: 0x57b2_01b9_1c39_4435, sha384: 0x9a8e_4b12_d151_23ce,
      sha512: 0xb4a6_025e_2cba_3b9a),
    Row(
      length: 112, crc32: 0x2545_2b01, md5: 0xd839_99ce_d108_d14b,
      sha1: 0x6d75_917f_bdf7_3231, sha384: 0xfa72_4bf3_5132_c323,
      sha512: 0xaa8e_a2c0_6ef1_3aa8),
    Row(
      length: 119, crc32: 0x638e_720e, md5: 0xfa2e_00f2_9d59_608f,
      sha1: 0x3f0c_d2b7_2174_90fb, sha384: 0xf7dc_333b_4e51_8d32,
      sha512: 0x40b0_f8d0_b2d3_487c),
    Row(
      length: 120, crc32: 0x3402_3dfe, md5: 0xf598_2328_433f_e3c8,
      sha1: 0x983f_1990_57dd_196f, sha384: 0x046a_b8be_d67b_a035,
      sha512: 0x40bb_bcce_7101_5ab2),
    Row(
      length: 127, crc32: 0x6442_192c, md5: 0x1b36_8e0b_6e09_835f,
      sha1: 0x4126_7c73_3e05_986e, sha384: 0xc4ac_c676_2fd0_0572,
      sha512: 0xece1_1d28_cf1b_b7da),
    Row(
      length: 128, crc32: 0xc967_08ef, md5: 0x0d76_6e70_14aa_9ace,
      sha1: 0x37e0_f41e_4ab2_29cd, sha384: 0x8af5_dce3_d556_097f,
      sha512: 0x66f3_ee04_a8c5_71f8),
    Row(
      length: 129, crc32: 0x0fc6_f44c, md5: 0x8bee_f7c6_317f_42fb,
      sha1: 0xa733_1a01_eb42_835f, sha384: 0x4fc4_3a52_0fe3_f4ba,
      sha512: 0xcd01_4048_d0d1_b4c8),
    Row(
      length: 1000, crc32: 0x114a_d5ff, md5: 0x2769_85dc_e4d9_a7d8,
      sha1: 0xc66a_bf8b_6a5a_323c, sha384: 0x1924_838f_b351_4217,
      sha512: 0xefc0_867a_f76b_faf4),
  ]

  @Test(arguments: rows)
  func `Each digest is that of other implementations`(row: Row) {
    let message = (0..<row.length).map { UInt8(truncatingIfNeeded: 7 * $0) }
    // Sound, here and below: spans of bytes as the bytes that they are.
    let bytes = unsafe message.span.bytes
    #expect(CRC32.checksum(of: bytes) == row.crc32)
    #expect(fold(MD5.digest(of: bytes)) == row.md5)
    #expect(fold(SHA1.digest(of: bytes)) == row.sha1)
    #expect(fold(SHA512.digest384(of: bytes)) == row.sha384)
    #expect(fold(SHA512.digest(of: bytes)) == row.sha512)
  }

  @Test func `The digests of abc are the standards'`() {
    let message = Array("abc".utf8)
    let bytes = unsafe message.span.bytes
    // Of 128 and 160 bits, in words, folded.
    let md5: UInt64 = 0x9001_5098_3cd2_4fb0 ^ 0xd696_3f7d_28e1_7f72
    let sha1: UInt64 = 0xa999_3e36_4706_816a ^ 0xba3e_2571_7850_c26c ^ 0x9cd0_d89d_0000_0000
    #expect(CRC32.checksum(of: bytes) == 0x3524_41c2)
    #expect(fold(MD5.digest(of: bytes)) == md5)
    #expect(fold(SHA1.digest(of: bytes)) == sha1)
  }

  private func fold<let count: Int>(_ digest: InlineArray<count, UInt8>) -> UInt64 {
    var result: UInt64 = 0
    for index in 0..<count { result ^= UInt64(digest[index]) << UInt64(56 - 8 * (index & 7)) }
    return result
  }
}
