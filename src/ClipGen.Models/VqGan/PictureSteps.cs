using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.VqGan;

/// <summary>A list of steps, whose kinds are read off the weights' names: any depth, width and place of the attention blocks loads.</summary>
internal sealed class PictureSteps : Module, IPictureStep
{
    private readonly List<IPictureStep> steps = [];

    /// <param name="weights">Loader of the parent.</param>
    /// <param name="name">Name of the list: <c>down</c>, <c>mid</c>, <c>up</c>.</param>
    /// <param name="resample">Makes the step that a lone convolution stands for.</param>
    public PictureSteps(WeightLoader weights, string name, Func<WeightLoader, IPictureStep> resample) : base(weights.In(name).Path)
    {
        var list = weights.In(name);
        for (var i = 0; i < weights.CountOf(name); i++)
        {
            var step = list.In($"{i}");
            if (step.Has("norm.weight") || step.Has("attn.in_proj_weight")) steps.Add(Own<IPictureStep>(new AttentionBlock(step)));
            else if (step.Has("conv.weight")) steps.Add(Own(resample(step)));
            else steps.Add(Own<IPictureStep>(new ResidualBlock(step)));
        }
    }

    /// <summary>Resampling steps in the list: each halves or doubles the picture.</summary>
    public int Resamplings => steps.Count(step => step is Downsample or Upsample);

    /// <inheritdoc/>
    public Tensor Forward(Tensor x)
    {
        using var scope = new TensorScope();
        foreach (var step in steps)
        {
            var next = step.Forward(x);
            // What a step made is not needed behind the next one; the caller's own input is not touched.
            if (step != steps[0]) x.Dispose();
            x = next;
        }
        return scope.Keep(x);
    }
}
