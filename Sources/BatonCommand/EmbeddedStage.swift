import CStageImage
import KexecRelocation

extension StageImage {
  /// The stage that this command was built with.
  static func embedded() throws(BatonError) -> StageImage {
    do throws(Malformed) {
      // Sound: the array and its size are constants of this program.
      return try unsafe StageImage(
        UnsafeRawBufferPointer(start: baton_stage_image(), count: baton_stage_image_size()))
    } catch {
      throw .stage(error)
    }
  }
}
